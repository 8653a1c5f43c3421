import type { Io, Random } from '../io.ts'
import { CrashDisk, type DiskPlan } from './crash-disk.ts'
import { afterCrash, afterKill, copyOf, type DiskContent, emptyDisk } from './disk-content.ts'
import { InThread, type ThreadEntries } from './in-thread.ts'
import { Prng } from './prng.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface SimulationOptions {
  readonly disk?: DiskPlan
  readonly threads?: ThreadEntries
  /** What time does when only timers are left: stand until `clock.advance` (default), or jump to the next one. */
  readonly idle?: 'stand' | 'advance'
}

/** A machine of which everything follows from its seed. */
export interface SimulatedIo extends Io {
  readonly seed: number
  readonly clock: VirtualClock
  readonly disk: CrashDisk
  /** Resolves when the machine has stopped. */
  readonly crashed: Promise<void>
  /** Stops the machine: nothing of the program runs on, whatever it waits for never ends. */
  crash(): void
  /** The machine starts again (crashing first if it still runs) over what its disk kept. */
  restart(options?: SimulationOptions): SimulatedIo
  /** A second machine with a copy of all that the disk holds now; nothing it does is seen here. */
  copy(options?: SimulationOptions): SimulatedIo
  /** Only the program is killed and started again: the system's cache lives on. */
  rerun(options?: SimulationOptions): SimulatedIo
}

/** The twins of clock, random, disk and threads. The same seed and options give the same run. */
export function simulatedIo(seed: number, options: SimulationOptions = {}): SimulatedIo {
  return machine(seed, new Prng(seed), emptyDisk(), options, undefined)
}

function machine(
  seed: number,
  prng: Prng,
  content: DiskContent,
  options: SimulationOptions,
  startMicros: bigint | undefined,
): SimulatedIo {
  const clock = new VirtualClock({
    idle: options.idle ?? 'stand',
    ...(startMicros === undefined ? {} : { startMicros }),
  })
  const bytes = prng.fork()
  const random: Random = { bytes: (length) => bytes.bytes(length) }
  let tell: () => void
  const crashed = new Promise<void>((resolve) => {
    tell = resolve
  })
  const crash = (): void => {
    clock.stop()
    disk.stop()
    tell()
  }
  const disk = new CrashDisk(content, clock, prng.fork(), options.disk ?? {}, crash)
  const threads = new InThread(options.threads ?? {}, clock, prng.fork(), () => simulated)
  const next = prng.fork()
  const again = (after: DiskContent, changed: SimulationOptions): SimulatedIo =>
    machine(seed, next, after, { ...options, disk: {}, ...changed }, clock.nowMicros() + 1_000_000n)
  const simulated: SimulatedIo = {
    seed,
    clock,
    random,
    disk,
    threads,
    crashed,
    crash,
    copy(changed = {}) {
      const at = clock.nowMicros() + 1_000_000n
      return machine(seed, next.fork(), copyOf(content), { ...options, disk: {}, ...changed }, at)
    },
    restart(changed = {}) {
      crash()
      return again(afterCrash(content, next), changed)
    },
    rerun(changed = {}) {
      crash()
      return again(afterKill(content), changed)
    },
  }
  return simulated
}
