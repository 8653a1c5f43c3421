import { D2, type MultiSetArray, output } from '@tanstack/db-ivm'
import { stopwatch, type Took } from '../measure.ts'
import { canonicalNumber } from '../nexmark/canonical.ts'
import { chunkEvents, type Generator } from '../nexmark/generator.ts'
import { type Row, rowsOf } from '../nexmark/rows.ts'
import type { TopicName } from '../nexmark/topics.ts'
import { type Cells, dataflows } from './db-ivm-queries.ts'

/** One step's input: rows as JavaScript objects, made before the clock runs. */
export type Step = Record<TopicName, MultiSetArray<Row>>

export function steps(generator: Generator, events: number): Step[] {
  const all: Step[] = []
  const changes = (rows: Row[]): MultiSetArray<Row> => rows.map((row) => [row, 1])
  while (generator.events < events) {
    generator.next(Math.min(chunkEvents, events - generator.events))
    const { person, auction, bid } = generator
    all.push({ person: changes(rowsOf(person)), auction: changes(rowsOf(auction)), bid: changes(rowsOf(bid)) })
  }
  return all
}

export function expressible(query: string): boolean {
  return query in dataflows
}

/** Runs a query step by step and hands each step's changes over. */
export function run(query: string, input: readonly Step[], take: (changes: MultiSetArray<Cells>) => void): Took {
  const graph = new D2()
  const inputs = { person: graph.newInput<Row>(), auction: graph.newInput<Row>(), bid: graph.newInput<Row>() }
  dataflows[query](inputs).pipe(
    output((changes) => {
      take(changes.getInner())
    }),
  )
  graph.finalize()
  const stop = stopwatch()
  for (const { person, auction, bid } of input) {
    inputs.person.sendData(person)
    inputs.auction.sendData(auction)
    inputs.bid.sendData(bid)
    graph.run()
  }
  return stop()
}

/** The answer's rows in canonical form. */
export function rows(query: string, input: readonly Step[]): string[][] {
  const weights = new Map<string, { row: string[]; weight: number }>()
  run(query, input, (changes) => {
    for (const [cells, weight] of changes) {
      const row = cells.map((cell) => (typeof cell === 'number' ? canonicalNumber(cell) : cell))
      const key = row.join('\u0001')
      const known = weights.get(key)
      if (known === undefined) weights.set(key, { row, weight })
      else known.weight += weight
    }
  })
  return [...weights.values()].flatMap(({ row, weight }) => Array<string[]>(weight).fill(row))
}
