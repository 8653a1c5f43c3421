import type { ColumnSchema } from '../../src/data/sql-type.ts'
import { load } from '../millrace.ts'
import type { Generator } from './generator.ts'
import { type Topic, type TopicName, topics } from './topics.ts'

/** A topic's columns as a program has them. */
export function schemaOf(topic: Topic, nullable = false): ColumnSchema[] {
  return topic.columns.map(({ name, kind }) => ({ name, type: { kind }, nullable: nullable && kind === 'text' }))
}

export interface TopicBlock {
  readonly topic: TopicName
  readonly rows: number
  readonly bytes: Uint8Array
}

/** @returns turns what the generator holds into blocks as the log keeps them, one per topic that has rows */
export async function blockWriter(): Promise<(generator: Generator) => TopicBlock[]> {
  const { writeBlock } = await load<typeof import('../../src/data/block.ts')>('data/block')
  return (generator) =>
    topics
      .map(({ name }) => generator.topic(name))
      .filter(({ rows }) => rows > 0)
      .map(({ topic, memory, batch }) => ({ topic: topic.name, rows: batch.rows, bytes: writeBlock(memory, batch) }))
}
