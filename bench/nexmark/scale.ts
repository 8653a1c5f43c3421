import { inChild } from '../child.ts'
import { digits, percent, si, table, times } from '../print.ts'
import { chunkEvents, Generator } from './generator.ts'
import type { NexmarkAnswer, NexmarkTask } from './jobs.ts'
import type { NexmarkRun } from './report.ts'

const smallEvents = 1_000_000
const script = new URL('./child-main.ts', import.meta.url)

/** Queries that keep one group or one row for each row of their view, with the bytes of its keys and values. */
const kept: Readonly<Record<string, () => number>> = {
  q12: () => 4 * 8,
  q17: () => 10 * 8,
  q18: bidBytes,
}

/** Does it stay fast, and small, when there are many events? Prints each query at a million events and at all. */
export async function reportScale({ events, runs, seed, rate, texts, folder, only, smoke }: NexmarkRun): Promise<void> {
  const few = smoke ? events / 2 : smallEvents
  const names = Object.keys(kept).filter((name) => only.length === 0 || only.includes(name))
  const task = { options: { seed, rate, texts }, runs }
  const measure = async (size: number): Promise<Record<string, NexmarkAnswer>> => {
    const here: Omit<NexmarkTask, 'system' | 'queries'> = { ...task, events: size, folder: `${folder}/scale` }
    await inChild<NexmarkTask, NexmarkAnswer>(script, { ...here, system: 'journal', queries: [] })
    const found: Record<string, NexmarkAnswer> = {}
    for (const name of names) {
      found[name] = await inChild(script, { ...here, system: 'millrace', queries: [name] } satisfies NexmarkTask)
    }
    return found
  }
  const atFew = await measure(few)
  const atMany = await measure(events)
  const rows = names.map((name) => {
    const small = atFew[name].measured[name]
    const large = atMany[name].measured[name]
    if (small === undefined || large === undefined) {
      return [name, atFew[name].failed[name] ?? atMany[name].failed[name] ?? 'failed', '', '', '', '', '', '']
    }
    const fast = few / small.cpuSeconds
    const slow = events / large.cpuSeconds
    const perRow = large.stateBytes / large.rows
    return [
      name,
      si(fast),
      si(slow),
      `${percent(slow / fast)}`,
      '70 % / 90 %',
      digits(perRow),
      times(perRow / kept[name]()),
      '3× / 1.5×',
    ]
  })
  const title = [`at ${si(few)} events`, `at ${si(events)}`, 'share', 'floor / goal']
  table(['query', ...title, 'state bytes a row', 'of its content', 'floor / goal'], rows)
}

/** Mean bytes of a bid's cells. */
function bidBytes(): number {
  const generator = new Generator()
  generator.next(chunkEvents)
  const { rows, columns, memory } = generator.bid
  let bytes = 0
  for (const { lane, data } of columns) {
    if (lane !== 'bytes') bytes += rows * 8
    else for (let i = 0, at = (data >>> 2) + 1; i < rows; i++, at += 2) bytes += memory.u32[at]
  }
  return bytes / rows
}
