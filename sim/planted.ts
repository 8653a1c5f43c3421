import type { Io, ThreadEntry } from '../src/io/io.ts'
import type { CrashDisk } from '../src/io/twin/crash-disk.ts'
import type { Prng } from '../src/io/twin/prng.ts'
import type { Log } from '../src/log/log.ts'

/** A mistake that only the simulator can switch on, to see that it would be found. Each wraps an interface. */
export interface Planted {
  readonly name: string
  readonly io?: (io: Io) => Io
  /** @param life which life of the program it is */
  readonly log?: (log: Log, life: number, prng: Prng, clock: Io['clock']) => Log
  /** What recovery does before it looks. */
  readonly recovery?: (disk: CrashDisk, folder: string) => Promise<void>
  readonly engine?: (entry: ThreadEntry) => ThreadEntry
}
