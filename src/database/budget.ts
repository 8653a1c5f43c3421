import { defaultMemoryBytes } from '../engine/host.ts'
import type { DatabaseOptions } from './contract.ts'

/** For blocks of the engine's state read from disk: a part of the budget, and no more than helps. */
const cacheBytesMost = 64 << 20

/** How much memory each may take, in bytes. */
export interface Budget {
  /** The engine, whatever for. */
  readonly memoryBytes: number
  /** Beyond this the engine forgets state that lies on disk. */
  readonly stateBytes: number
  /** Blocks of that, read again. */
  readonly cacheBytes: number
  /** Pages of views that were read from disk. */
  readonly pageBytes: number
}

export function budgetOf({ memoryBytes = defaultMemoryBytes, ...options }: DatabaseOptions): Budget {
  const stateBytes = options.stateBytes ?? Math.floor(memoryBytes / 2)
  const quarter = Math.floor(stateBytes / 4)
  return { memoryBytes, stateBytes, cacheBytes: Math.min(cacheBytesMost, quarter), pageBytes: quarter }
}
