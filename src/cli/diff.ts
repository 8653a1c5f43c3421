import type { Connection } from '../client/connection.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import { textTable } from '../data/text-print.ts'
import type { Io } from '../io/io.ts'
import type { DiffBody, DiffViewBody } from '../protocol/answers.ts'
import { loadApp } from './load-app.ts'
import { say, writeOut } from './output.ts'
import { elements, members } from './raw-json.ts'

export interface DiffFlags {
  /** Differing rows listed per view. */
  readonly rows: number
  readonly json: boolean
}

/** What the views of a running server would become under an app's definitions. Nothing is taken over. */
export async function diff(
  io: Io,
  connection: Connection,
  app: string | undefined,
  { rows, json }: DiffFlags,
): Promise<number> {
  const { path, definition } = await loadApp(io.disk, app)
  // Here a mistake is told with its file.
  await definition.plan({ topics: [], views: [] })
  const response = await connection.open('/v1/diff', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition: definition.text, rows }),
  })
  const answer = await response.text()
  if (json) {
    await writeOut(answer)
    return 0
  }
  const { tick, views } = JSON.parse(answer) as DiffBody
  await writeOut(printed(views, answer))
  say(`${path} compared with what is served, at tick ${tick}; nothing was taken over`)
  return 0
}

const columns = ['view', 'rows', 'would be', 'what'].map(
  (name): ColumnSchema => ({ name, type: { kind: 'text' }, nullable: true }),
)

function printed(views: readonly DiffViewBody[], answer: string): string {
  const count = (rows: number | null): string => (rows === null ? '' : String(rows))
  const table = textTable(
    columns,
    views.map((view) => [view.view, count(view.rows.before), count(view.rows.after), describeDifference(view)]),
  )
  const raw = elements(members(answer).get('views') ?? '[]')
  return table + views.map((view, i) => changesOf(view, members(raw[i]))).join('')
}

/** The rows that differ, as the server wrote them. */
function changesOf({ view, added = 0, removed = 0 }: DiffViewBody, raw: ReadonlyMap<string, string>): string {
  const lines: string[] = []
  let left = added + removed
  for (const change of elements(raw.get('changes') ?? '[]')) {
    const { row, weight } = Object.fromEntries(members(change)) as { row: string; weight: string }
    const times = Math.abs(Number(weight))
    left -= times
    lines.push(`${Number(weight) < 0 ? '-' : '+'} ${row}${times === 1 ? '' : `  (${times} times)`}`)
  }
  if (added + removed === 0) return ''
  if (left > 0) lines.push(`… and ${left} more`)
  return `\n${view}\n${lines.join('\n')}\n`
}

/** What becomes of a view, in a few words. */
export function describeDifference({ kind, rows, errors, added = 0, removed = 0 }: Omit<DiffViewBody, 'view'>): string {
  const words = {
    same: 'unchanged',
    new: `new, ${counted(rows.after ?? 0, 'row')}`,
    dropped: 'dropped',
    reshaped: `other columns, ${counted(rows.after ?? 0, 'row')} instead of ${rows.before}`,
    changed: added + removed === 0 ? 'no row differs' : `${counted(added, 'row')} more, ${removed} fewer`,
  }
  const { before, after } = errors
  if (after === null || after === (before ?? 0)) return words[kind]
  return `${words[kind]}, ${counted(after, 'error row')}${before === null ? '' : ` instead of ${before}`}`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
