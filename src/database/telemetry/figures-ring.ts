import type { EngineFigures, NodeFigures } from '../../engine/port.ts'

/** Rates are told over about so long. */
const windowMs = 10_000

/** What went through a node lately. */
export interface NodeRates {
  readonly figures: NodeFigures
  readonly rowsPerSecond: number
  /** The part of the time that the engine was busy with it: 0 to 1. */
  readonly busyShare: number
}

/** The latest figures of one engine: two of them make a rate. */
export class FiguresRing {
  #kept: EngineFigures[] = []

  get latest(): EngineFigures | null {
    return this.#kept.at(-1) ?? null
  }

  /** The latest that have everything in them. */
  whole: EngineFigures | null = null

  add(figures: EngineFigures): void {
    const kept = this.#kept
    kept.push(figures)
    // One that is older than the window is the other end of the first rate.
    while (kept.length > 2 && kept[1].atMs <= figures.atMs - windowMs) kept.shift()
  }

  /** Another engine counts from zero. */
  clear(): void {
    this.#kept = []
    this.whole = null
  }

  /** By the topology's names. */
  rates(): ReadonlyMap<string, NodeRates> {
    const now = this.latest
    const before = this.#kept[0]
    if (now === null) return new Map()
    const then = new Map(before === now ? [] : before.nodes.map((node) => [node.id, node]))
    const ms = Math.max(1, now.atMs - before.atMs)
    return new Map(
      now.nodes.map((figures) => {
        const since = then.get(figures.id) ?? figures
        const rowsPerSecond = ((figures.rows - since.rows) * 1000) / ms
        const busyShare = Math.min(1, (figures.busyMs - since.busyMs) / ms)
        return [figures.id, { figures, rowsPerSecond, busyShare }]
      }),
    )
  }
}
