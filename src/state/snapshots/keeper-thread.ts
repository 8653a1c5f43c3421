import { Bug } from '../../data/errors.ts'
import type { Io, ThreadEntry } from '../../io/io.ts'
import { type KeeperReply, type KeeperRequest, keeperFailure } from './keeper-port.ts'
import type { Manifest } from './manifest.ts'
import { SnapshotFolder } from './snapshot-folder.ts'

/** Thrown through a merge that has to end because the keeper does. */
class Closing extends Error {
  override readonly name = 'Closing'
}

/** Requests are worked off one at a time; between them, runs are merged step by step. */
class KeeperThread {
  readonly #io: Io
  readonly #post: (reply: KeeperReply) => void
  #folder: SnapshotFolder | null = null
  #mergeShare = 0.5
  /** Requests taken and not answered. */
  #waiting = 0
  #requests: Promise<void> = Promise.resolve()
  #merging: Promise<void> | null = null
  #closing = false

  constructor(io: Io, post: (reply: KeeperReply) => void) {
    this.#io = io
    this.#post = post
  }

  take(request: KeeperRequest): void {
    this.#waiting++
    if (request.kind === 'close') this.#closing = true
    this.#requests = this.#requests.then(async () => {
      let reply: KeeperReply
      try {
        const kept = await this.#work(request)
        const indexes = request.kind === 'commit' ? this.#folder?.takeIndexes() : undefined
        reply = { kind: 'answer', kept, ...(indexes === undefined ? {} : { indexes }) }
      } catch (error) {
        // Those of a snapshot that was given up are of no use; a merge's can be read.
        this.#folder?.takeIndexes()
        reply = { kind: 'refused', failure: keeperFailure(error) }
      }
      this.#waiting--
      this.#post(reply)
      if (request.kind === 'start' || request.kind === 'commit') this.#startMerging()
    })
  }

  async #work(request: KeeperRequest): Promise<readonly Manifest[]> {
    if (request.kind === 'start') {
      this.#mergeShare = request.options.mergeShare ?? this.#mergeShare
      this.#folder = await SnapshotFolder.open(this.#io, request.folder, request.newest, request.options)
      return this.#folder.kept
    }
    if (request.kind === 'close') {
      await this.#merging
      return []
    }
    const folder = this.#folder
    if (folder === null) throw new Bug('the keeper has no folder')
    switch (request.kind) {
      case 'begin':
        folder.begin()
        return []
      case 'doubt':
        folder.doubt()
        return []
      case 'add':
        await folder.add(request.pieces)
        return []
      case 'commit':
        return [await folder.commit(request.tick, request.about, request.goOn)]
      case 'pin':
        return [await folder.pin(request.tick, request.notes, request.own)]
      case 'drop':
        return folder.dropUnused(request.adopted)
    }
  }

  #startMerging(): void {
    const folder = this.#folder
    if (folder === null || this.#merging !== null || this.#closing) return
    this.#merging = this.#merge(folder).then(() => {
      this.#merging = null
    })
  }

  async #merge(folder: SnapshotFolder): Promise<void> {
    try {
      let since = this.#io.clock.monotonicMs()
      const pause = async (): Promise<void> => {
        const worked = this.#io.clock.monotonicMs() - since
        await this.#rest((worked * (1 - this.#mergeShare)) / this.#mergeShare)
        since = this.#io.clock.monotonicMs()
      }
      for (;;) {
        const manifest = await folder.merge(pause)
        if (manifest === null) return
        this.#post({ kind: 'merged', manifest, indexes: folder.takeIndexes() })
      }
    } catch (error) {
      // Tried again after the next commit.
      if (!(error instanceof Closing)) this.#post({ kind: 'trouble', failure: keeperFailure(error) })
    }
  }

  /** Requests go first. */
  async #rest(ms: number): Promise<void> {
    if (this.#closing) throw new Closing()
    if (ms > 0) await new Promise<void>((resolve) => this.#io.clock.after(ms, resolve))
    while (this.#waiting > 0 && !this.#closing) await this.#requests
    if (this.#closing) throw new Closing()
  }
}

/** The keeper's side of a thread. */
export const keeperThread: ThreadEntry = (post, io) => {
  const keeper = new KeeperThread(io, post)
  return (message) => keeper.take(message as KeeperRequest)
}
