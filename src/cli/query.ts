import type { Connection } from '../client/connection.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { csvHeader, csvLine, textTable } from '../data/text-print.ts'
import type { ReplayingBody } from '../protocol/answers.ts'
import { typeOfName } from '../protocol/type-names.ts'
import type { Format } from './option-values.ts'
import { say, writeOut } from './output.ts'
import { ProgressBar } from './progress.ts'
import { elements, members, objectText } from './raw-json.ts'

export interface QueryFlags {
  readonly format: Format
  readonly numbers: 'exact' | 'string'
  readonly parameters: readonly string[]
  /** A tick's number or a time. */
  readonly asOf: string | null
  readonly replay: boolean
}

/** Asks a running server, and prints the rows as the server wrote them. */
export async function query(connection: Connection, sql: string, flags: QueryFlags): Promise<number> {
  const { numbers, parameters, format, asOf, replay } = flags
  const body = { sql, params: parameters, ...(asOf === null ? {} : { as_of: asOf }) }
  const told = new ReplayTold()
  const response = await connection.open(
    `/v1/sql?numbers=${numbers}${replay ? '&replay=true' : ''}`,
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
    (progress) => told.tell(progress),
  )
  told.end()
  const answer = members(await response.text())
  const columns = (JSON.parse(answer.get('columns') ?? '[]') as { name: string; type: string }[]).map(
    ({ name, type }): ColumnSchema => ({ name, type: typeOfName(type), nullable: true }),
  )
  await writeOut(printed(columns, elements(answer.get('rows') ?? '[]').map(elements), format))
  return 0
}

/** Progress on stderr: a bar on a terminal, else a line now and then. */
class ReplayTold {
  readonly #bar = new ProgressBar('replaying')
  #lines = 0

  tell({ tick, through_tick: through, events }: ReplayingBody): void {
    const figures = `tick ${tick} of ${through} · ${events} events`
    if (process.stderr.isTTY) this.#bar.update(tick, through, figures)
    else if (this.#lines++ % 5 === 0) say(`replaying: ${figures}`)
  }

  end(): void {
    this.#bar.stop()
  }
}

function printed(columns: readonly ColumnSchema[], rows: readonly (readonly string[])[], format: Format): string {
  const names = columns.map(({ name }) => JSON.stringify(name))
  const object = (row: readonly string[]): string => objectText(names, row)
  switch (format) {
    case 'ndjson':
      return rows.map((row) => `${object(row)}\n`).join('')
    case 'json':
      return rows.length === 0 ? '[]\n' : `[\n${rows.map(object).join(',\n')}\n]\n`
    case 'csv':
      return csvHeader(columns) + rows.map((row) => csvLine(row.map((value, i) => textOf(value, columns[i])))).join('')
    case 'table':
      return textTable(
        columns,
        rows.map((row) => row.map((value, i) => textOf(value, columns[i]))),
      )
  }
}

/** A value of JSON as text for people. */
function textOf(value: string, { type }: ColumnSchema): string | null {
  if (value === 'null' && type.kind !== 'jsonb') return null
  if (!value.startsWith('"') || type.kind === 'jsonb') return value
  const text = JSON.parse(value) as string
  return type.kind === 'timestamp' || type.kind === 'timestamptz' ? text.replace('T', ' ') : text
}
