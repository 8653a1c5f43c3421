/**
 * The only door of our code to clock, random, disk, threads and environment. Production binds it to Node (node.ts);
 * the simulator binds the same interfaces to seeded twins (twin/), which is why nothing else may touch the outside.
 */
export interface Io {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly threads: Threads
}

export interface Clock {
  /** Wall clock, microseconds since 1970 UTC. It may jump; whoever needs order keeps the greatest seen. */
  nowMicros(): bigint
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number
  /** Runs `task` once, not before `delayMs`; 0 means after what is already queued. @returns cancels it */
  after(delayMs: number, task: () => void): () => void
}

export interface Random {
  /** @returns `length` unpredictable bytes (seeded in a simulation) */
  bytes(length: number): Uint8Array
}

/** Paths are absolute or relative to the process's folder, with `/`. Every failure is an `IoError`. */
export interface Disk {
  /**
   * Opens for reading and writing; `create` makes the file when it is missing, 'new' refuses one that is there. A file
   * that was opened for reading can be read on after its name was removed, and needs no `close`: it is closed some
   * time after nobody holds it any more.
   */
  open(path: string, options?: OpenOptions): Promise<DiskFile>
  /** Names in a folder, sorted; empty when the folder is missing. */
  list(folder: string): Promise<readonly string[]>
  /** Makes the folder with its missing parents; their names are durable when it resolves. */
  makeFolder(folder: string): Promise<void>
  remove(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Makes creations, removals and renames in the folder durable. */
  syncFolder(folder: string): Promise<void>
  /** Takes an exclusive lock that ends with the process, or null when another process holds it. */
  lock(path: string): Promise<DiskLock | null>
  /** Opens a file that is no longer written, for reads that can't wait for another turn: the engine's. */
  openReader(path: string): DiskReader
  /** Bytes of all files in a folder and the folders in it; 0 when it is missing. */
  bytesIn(folder: string): Promise<number>
  /** What the disk that a folder is on has room for; null where the system doesn't tell. */
  space(folder: string): Promise<DiskSpace | null>
}

export interface DiskSpace {
  /** What this program may still write. */
  readonly freeBytes: number
  readonly totalBytes: number
}

/** A file that no longer changes, read at once. It can be read on after its name was removed. */
export interface DiskReader {
  readonly size: number
  /** @returns bytes read: fewer than asked for only at the end of the file */
  read(into: Uint8Array, position: number): number
  close(): void
}

export interface OpenOptions {
  readonly create?: boolean | 'new'
  readonly readOnly?: boolean
}

export interface DiskFile {
  size(): Promise<number>
  /** @returns bytes read: fewer than asked for only at the end of the file */
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes all of `bytes`, or fails. Not durable before a `sync` that began after it has resolved. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** fdatasync. After a failure nothing written since the last success may be believed, whatever a retry says. */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

export interface DiskLock {
  release(): Promise<void>
}

export type IoFailure = 'missing' | 'exists' | 'full' | 'denied' | 'failed'

export class IoError extends Error {
  override readonly name = 'IoError'
  readonly failure: IoFailure
  readonly path: string

  constructor(failure: IoFailure, path: string, cause?: unknown) {
    super(`${path}: ${failure}${cause instanceof Error ? ` (${cause.message})` : ''}`, { cause })
    this.failure = failure
    this.path = path
  }
}

/** What runs in a thread of its own. */
export type ThreadName = 'engine' | 'keeper'

/** Starts threads that run one of our entries. Messages are structured clones; buffers may be transferred. */
export interface Threads {
  start(entry: ThreadName, onMessage: (message: unknown) => void, onFailure: (error: Error) => void): ThreadPort
  /** A thread will be started soon: it may begin to load its program. */
  prepare?(entry: ThreadName): void
}

export interface ThreadPort {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void
  /** Ends the thread; messages under way are lost. */
  stop(): Promise<void>
}

/**
 * What a thread runs: it is given the way back and the world as the thread sees it, and returns what takes the
 * messages, one at a time, in order. The same entry runs in a worker (thread-entry.ts) and in the simulator
 * (twin/in-thread.ts).
 */
export type ThreadEntry = (
  post: (message: unknown, transfer?: readonly ArrayBuffer[]) => void,
  io: Io,
) => (message: unknown) => void
