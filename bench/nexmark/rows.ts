import type { TopicColumns } from './columns.ts'

/** A row as a JavaScript program would hold it: bigints and timestamps (microseconds since 1970) as numbers. */
export type Row = Record<string, number | string>

export function rowsOf(source: TopicColumns, from = 0, to = source.rows): Row[] {
  const { memory, columns, topic } = source
  const text = Buffer.from(memory.u8.buffer)
  const rows: Row[] = []
  for (let row = from; row < to; row++) {
    const object: Row = {}
    for (let i = 0; i < columns.length; i++) {
      const { name, kind } = topic.columns[i]
      const { data, heap } = columns[i]
      const cell = (data >>> 2) + row * 2
      const low = memory.u32[cell]
      const high = memory.u32[cell + 1]
      if (kind === 'text') object[name] = text.toString('latin1', heap + low, heap + low + high)
      else object[name] = high * 4294967296 + low
    }
    rows.push(object)
  }
  return rows
}
