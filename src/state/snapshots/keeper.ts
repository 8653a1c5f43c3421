import { MillraceError } from '../../data/errors.ts'
import type { Io, ThreadPort } from '../../io/io.ts'
import type { Piece } from '../cold.ts'
import type { RunIndex } from '../runs/run-format.ts'
import { errorOf, type KeeperOptions, type KeeperReply, type KeeperRequest } from './keeper-port.ts'
import type { Manifest, SnapshotNotes } from './manifest.ts'

/** The owner's side of the thread that writes snapshots and merges their runs. */
export interface Keeper {
  /**
   * The snapshots on disk after the start, the newest first: those that are not among them are gone.
   * @throws MillraceError internal, state/…: no snapshots can be taken
   */
  readonly opened: Promise<readonly Manifest[]>
  /** A capture begins: what one before it has added and never committed is forgotten. */
  begin(): void
  /** Somebody else's sync of the folder has failed: names of the keeper's that were not durable yet may be lost. */
  doubt(): void
  /**
   * Takes pieces of the capture under way; their buffers change hands. All pieces of a bucket come in one call.
   * @returns resolves when they were taken in: whoever waits for it keeps the queue short. It never rejects: what
   *   goes wrong is told by `commit`
   */
  add(pieces: readonly Piece[]): Promise<void>
  /**
   * Makes what was added since the last commit, over the snapshot before, the snapshot at `tick`.
   * @param about plain JSON; it comes back in the manifest
   * @param goOn names of the arrangements that were captured as changes of the snapshot before. What that one has of
   *   any other is forgotten: of those that ended, and of those that were captured anew and whole. All go on if not
   *   given
   * @returns when it is durable
   * @throws MillraceError state/snapshot: this snapshot is given up with all that was added to it, and the one
   *   before stays; the next capture has to begin where that one ended
   */
  commit(tick: number, about: SnapshotNotes, goOn?: readonly string[]): Promise<Manifest>
  /**
   * Makes a snapshot the base: it stays until a later one becomes that, whatever snapshots come and go.
   * @param notes plain JSON that joins what its manifest says of it
   * @param own the same of the snapshot's own manifest, which is written before
   * @returns when it is durable
   * @throws MillraceError state/snapshot: the base before stays
   */
  pin(tick: number, notes: Readonly<Record<string, unknown>>, own: Readonly<Record<string, unknown>>): Promise<Manifest>
  /** What was handed on of a snapshot's runs that were written since the start: who opens them need not read it. */
  indexesOf(manifest: Manifest): readonly RunIndex[]
  /** Called when the newest snapshot lies in other files, because runs were merged. */
  onMerged(listener: (manifest: Manifest) => void): void
  /** Called when runs could not be merged: state/corrupt, or no room. The snapshot stays as it was. */
  onTrouble(listener: (error: MillraceError) => void): void
  /**
   * Removes files that nothing needs any more.
   * @param adopted the manifest whose files are read from now on, instead of any before
   * @returns the snapshots on disk, the newest first, and behind them the base: other files that none of them names
   *   may go. None where that isn't certain: then all files stay
   */
  dropUnused(adopted: Manifest): Promise<readonly Manifest[]>
  /** Ends the thread; what was added and not committed is lost. */
  close(): Promise<void>
}

/**
 * @param folder holds the snapshots, and nothing is done to files of it that the keeper has not made
 * @param newest the snapshot that was started from; newer ones, as they couldn't be used, are removed
 */
export function startKeeper(io: Io, folder: string, newest: Manifest | null, options: KeeperOptions = {}): Keeper {
  return new ThreadKeeper(io, folder, newest, options)
}

interface Waiter {
  resolve(kept: readonly Manifest[]): void
  reject(error: MillraceError): void
}

class ThreadKeeper implements Keeper {
  readonly opened: Promise<readonly Manifest[]>
  readonly #port: ThreadPort
  readonly #waiting: Waiter[] = []
  /** By the run's name: of the newest snapshot's. */
  #indexes = new Map<string, RunIndex>()
  /** Why the thread can't be asked any more. */
  #ended: MillraceError | null = null
  #merged: (manifest: Manifest) => void = () => {}
  #trouble: (error: MillraceError) => void = () => {}

  constructor(io: Io, folder: string, newest: Manifest | null, options: KeeperOptions) {
    this.#port = io.threads.start(
      'keeper',
      (message) => this.#take(message as KeeperReply),
      (error) => this.#end(new MillraceError('state/snapshot', `the keeper of snapshots stopped: ${error.message}`)),
    )
    this.opened = this.#ask({ kind: 'start', folder, newest, options })
    // Whoever doesn't look hears of it from `commit`.
    this.opened.catch(() => {})
  }

  begin(): void {
    // Whoever can't be asked says so at `commit`.
    this.#ask({ kind: 'begin' }).catch(() => {})
  }

  doubt(): void {
    this.#ask({ kind: 'doubt' }).catch(() => {})
  }

  async add(pieces: readonly Piece[]): Promise<void> {
    const buffers = new Set<ArrayBuffer>()
    const owned = pieces.map((piece) => {
      const bytes = ownsBuffer(piece.bytes) ? piece.bytes : piece.bytes.slice()
      buffers.add(bytes.buffer as ArrayBuffer)
      return { ...piece, bytes }
    })
    await this.#ask({ kind: 'add', pieces: owned }, [...buffers]).catch(() => {})
  }

  async commit(tick: number, about: SnapshotNotes, goOn?: readonly string[]): Promise<Manifest> {
    return (await this.#ask({ kind: 'commit', tick, about, ...(goOn === undefined ? {} : { goOn }) }))[0]
  }

  async pin(
    tick: number,
    notes: Readonly<Record<string, unknown>>,
    own: Readonly<Record<string, unknown>>,
  ): Promise<Manifest> {
    return (await this.#ask({ kind: 'pin', tick, notes, own }))[0]
  }

  onMerged(listener: (manifest: Manifest) => void): void {
    this.#merged = listener
  }

  onTrouble(listener: (error: MillraceError) => void): void {
    this.#trouble = listener
  }

  dropUnused(adopted: Manifest): Promise<readonly Manifest[]> {
    return this.#ask({ kind: 'drop', adopted })
  }

  async close(): Promise<void> {
    await this.#ask({ kind: 'close' }).catch(() => {})
    this.#end(new MillraceError('log/closed', 'the keeper of snapshots is closed'))
    await this.#port.stop()
  }

  #ask(request: KeeperRequest, transfer: readonly ArrayBuffer[] = []): Promise<readonly Manifest[]> {
    if (this.#ended !== null) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#port.post(request, transfer)
    })
  }

  #take(reply: KeeperReply): void {
    switch (reply.kind) {
      case 'answer':
        if (reply.indexes !== undefined) this.#keep(reply.indexes, reply.kept[0])
        this.#waiting.shift()?.resolve(reply.kept)
        break
      case 'refused':
        this.#waiting.shift()?.reject(errorOf(reply.failure))
        break
      case 'merged':
        this.#keep(reply.indexes, reply.manifest)
        this.#merged(reply.manifest)
        break
      case 'trouble':
        this.#trouble(errorOf(reply.failure))
    }
  }

  /** What comes now may be of runs that the next manifest is the first to name: it stays until then. */
  #keep(indexes: readonly RunIndex[], manifest: Manifest): void {
    this.#indexes = new Map([...this.indexesOf(manifest), ...indexes].map((index) => [index.name, index]))
  }

  indexesOf({ files }: Manifest): readonly RunIndex[] {
    return files.flatMap(({ name }) => this.#indexes.get(name) ?? [])
  }

  #end(error: MillraceError): void {
    this.#ended ??= error
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#ended)
  }
}

function ownsBuffer(bytes: Uint8Array): boolean {
  return bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength
}
