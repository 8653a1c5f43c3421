import { MillraceError } from '../data/errors.ts'
import type { Io } from '../io/io.ts'
import { IoError } from '../io/io.ts'
import { type Commit, type LogState, NoRoom, type Seal } from './commit.ts'
import { allocate } from './frame.ts'
import { GroupCommitLog } from './group-commit.ts'
import { History } from './history/history.ts'
import { type RewriteOptions, usualRewrite } from './history/rewrite.ts'
import { HistoryStore } from './history/store.ts'
import { IdempotencyTable } from './idempotency.ts'
import { Journal, randomEpoch } from './journal.ts'
import {
  createFile,
  encodeFileHeader,
  fileHeaderBytes,
  filePath,
  isSpare,
  type JournalFile,
  type JournalSizes,
  usualSizes,
  writeZeros,
} from './journal-file.ts'
import type { Log, LogOptions } from './log.ts'
import { type Recovered, recover } from './recover.ts'
import { TickIndex } from './tick-index.ts'
import { TopicIndex } from './topic-index.ts'

export interface FileLogOptions extends LogOptions {
  /** How the journal is laid out on disk; an open journal may be continued with other sizes. */
  readonly sizes?: Partial<JournalSizes>
  /** How closed files of the journal become history. */
  readonly history?: Partial<RewriteOptions>
}

/** An open log, and the store below it. */
export interface OpenedLog {
  readonly log: Log
  readonly store: HistoryStore
}

/**
 * Opens the log in a folder, making it when there is none. What is durable is sealed; the torn tail of a commit that
 * nobody was answered for is cut.
 *
 * @throws MillraceError log/locked (another process has it open), log/corrupt, log/version, log/full
 */
export async function openFileLog(io: Io, folder: string, options: FileLogOptions): Promise<Log> {
  return (await openFileStore(io, folder, options)).log
}

/** The same, for those who look after what is on disk. */
export async function openFileStore(io: Io, folder: string, options: FileLogOptions): Promise<OpenedLog> {
  try {
    return await openLocked(io, folder, options)
  } catch (error) {
    throw nameFailure(error, folder)
  }
}

async function openLocked(io: Io, folder: string, options: FileLogOptions): Promise<OpenedLog> {
  const sizes: JournalSizes = { ...usualSizes, ...options.sizes }
  await io.disk.makeFolder(folder)
  const lock = await io.disk.lock(`${folder}/lock`)
  if (lock === null) {
    throw new MillraceError('log/locked', `another process has the log in ${folder} open`, {
      hint: 'stop that process, or use another folder',
      place: { file: folder },
    })
  }
  try {
    const history = await History.open(io.disk, folder, true)
    const found = await recover(io.disk, folder, history)
    const { journal, state } = await (found === null
      ? begin(io, folder, sizes, lock)
      : goOn(io, folder, sizes, lock, found))
    const { onNotice = usualRewrite.onNotice } = options
    const rewrite = { ...usualRewrite, onNotice, ...options.history }
    const store = new HistoryStore(io, folder, journal, history, rewrite)
    return { log: new GroupCommitLog(io.clock, store, options, state), store }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** What the disk did, as a person meets it. */
function nameFailure(error: unknown, folder: string): unknown {
  if (error instanceof NoRoom || (error instanceof IoError && error.failure === 'full')) {
    return new MillraceError('log/full', `the disk is full: the log in ${folder} can't be opened`, {
      hint: 'free some space, then start again',
      cause: error,
    })
  }
  if (!(error instanceof IoError)) return error
  return new MillraceError('log/poisoned', `the disk failed while the log in ${folder} was opened: ${error.message}`, {
    hint: 'check the disk and the folder’s permissions, then start again: what was acknowledged is not lost',
    cause: error,
  })
}

type Lock = ConstructorParameters<typeof Journal>[3]

interface Opened {
  readonly journal: Journal
  readonly state: LogState & { readonly remembered: IdempotencyTable }
}

async function begin(io: Io, folder: string, sizes: JournalSizes, lock: Lock): Promise<Opened> {
  const first: JournalFile = { number: 1, epoch: randomEpoch(io), base: 0, sequence: 1, previous: 0, stale: 0 }
  const file = await createFile(io.disk, folder, first, sizes.stepBytes)
  const journal = new Journal(io, folder, sizes, lock, {
    identity: first.epoch.toString(16),
    files: [first],
    file,
    at: fileHeaderBytes,
    allocated: Math.max(fileHeaderBytes, sizes.stepBytes),
    sequence: 1,
    previous: 0,
    index: new TopicIndex(),
    ticks: new TickIndex(),
    nextTick: 1,
    sealed: 0,
    spares: [],
  })
  const state = { tick: 0, timeMicros: 0n, commitMicros: 0n, offsets: new Map(), remembered: new IdempotencyTable() }
  return { journal, state }
}

async function goOn(io: Io, folder: string, sizes: JournalSizes, lock: Lock, found: Recovered): Promise<Opened> {
  const last = found.files[found.files.length - 1]
  const spares = await sparesIn(io, folder, sizes.spareFiles)
  const file = await io.disk.open(filePath(folder, last.number))
  try {
    await writeZeros(file, found.at, found.tornEnd)
    await makeSure(io, folder, file, found)
    const journal = new Journal(io, folder, sizes, lock, { ...found, file, nextTick: found.state.tick + 1, spares })
    const { state, remembered } = found
    if (found.clean) return { journal, state: { ...state, remembered } }
    // Also says, to whoever reads the journal next, that all before it is durable.
    const timeMicros = later(io.clock.nowMicros(), state.commitMicros)
    const seal = found.unsealedCommits === 0 ? null : sealOf(found, timeMicros)
    const commit: Commit = { timeMicros, blocks: [], answers: [], seal, purpose: 'recovery' }
    await journal.commit(journal.gather(), commit, () => {})
    return {
      journal,
      state: {
        tick: seal?.tick ?? state.tick,
        timeMicros: seal?.timeMicros ?? state.timeMicros,
        commitMicros: timeMicros,
        offsets: state.offsets,
        remembered,
      },
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Files that an earlier start put aside; those that are too many go. */
async function sparesIn({ disk }: Io, folder: string, most: number): Promise<string[]> {
  const paths = (await disk.list(folder)).filter(isSpare).map((name) => `${folder}/${name}`)
  for (const path of paths.splice(most)) await disk.remove(path)
  return paths
}

function sealOf({ state, unsealedEnds }: Recovered, now: bigint): Seal {
  return { tick: state.tick + 1, timeMicros: later(now, state.timeMicros), ends: unsealedEnds }
}

/**
 * Writes once more what only the system's cache may hold, such as after a failed sync whose retry would save
 * nothing, and syncs it: from here on it counts as durable.
 */
async function makeSure(
  io: Io,
  folder: string,
  file: Awaited<ReturnType<Io['disk']['open']>>,
  { files, proven, at }: Recovered,
): Promise<void> {
  const bytes = allocate(at - proven)
  const read = await file.read(bytes, proven)
  await file.write(bytes.subarray(0, read), proven)
  await file.write(encodeFileHeader(files[files.length - 1]), 0)
  await file.sync()
  await io.disk.syncFolder(folder)
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
