// Interfaces with a few of their methods changed.
import type { DiskFile, Io } from '../src/io/io.ts'
import type { Log, LogReads } from '../src/log/log.ts'

/** A machine whose files do something else; only those whose path fits. */
export function withFile(
  change: (file: DiskFile) => Partial<DiskFile>,
  fits: (path: string) => boolean = () => true,
): (io: Io) => Io {
  return (io) => ({
    ...io,
    disk: passing(io.disk, {
      open: async (path, options) => {
        const file = await io.disk.open(path, options)
        return fits(path) ? passing(file, change(file)) : file
      },
    }),
  })
}

/** An object that does what another one does, but for some methods. */
export function passing<T extends object>(target: T, changed: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(changed, name)) return changed[name as keyof T]
      const value = target[name as keyof T]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** A log whose replays, its readers' too, are others. */
export function replaying(log: Log, change: (replay: LogReads['replay']) => LogReads['replay']): Log {
  return passing(log, {
    replay: change((...asked) => log.replay(...asked)),
    reader: (mostIdleMs) => {
      const reader = log.reader(mostIdleMs)
      return passing(reader, { replay: change((...asked) => reader.replay(...asked)) })
    },
  })
}

export const ignore = (): void => {}
