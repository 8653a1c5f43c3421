// Two states of a view as multisets of printed rows.
import type { Answer } from './oracle.ts'
import type { ViewState } from './subject.ts'

export interface Difference {
  readonly view: string
  readonly missing: readonly string[]
  readonly surplus: readonly string[]
  readonly message: string | null
}

/** The state with numerics in the one form that equal ones have as keys: no zeros at the end. */
export function trimmed(state: ViewState): ViewState {
  const numeric = state.columns.map(({ type }) => type === 'numeric')
  const trim = (cell: string | null): string | null =>
    cell === null || !cell.includes('.') ? cell : cell.replace(/\.?0+$/, '')
  return { ...state, rows: state.rows.map((row) => row.map((cell, i) => (numeric[i] ? trim(cell) : cell))) }
}

export function countRows(rows: readonly (readonly (string | null)[])[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const row of rows) {
    const key = JSON.stringify(row)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** @returns null where they agree, or where PostgreSQL has no answer: it fails on constants that no row meets, too */
export function compare(view: string, wanted: Answer, found: ViewState | undefined): Difference | null {
  const say = (message: string): Difference => ({ view, missing: [], surplus: [], message })
  if (!found) return say('the subject does not know the view')
  if ('failure' in wanted) return null
  const shape = (columns: ViewState['columns']): string =>
    columns.map(({ name, type }) => `${name.toLowerCase()} ${type}`).join(', ')
  if (shape(wanted.columns) !== shape(found.columns)) {
    return say(`columns are (${shape(found.columns)}), PostgreSQL's are (${shape(wanted.columns)})`)
  }
  const wantedCounts = countRows(wanted.rows)
  const foundCounts = countRows(found.rows)
  const missing = surplusOf(wantedCounts, foundCounts)
  const surplus = surplusOf(foundCounts, wantedCounts)
  const errors = wanted.errors === found.errors ? null : `${found.errors} error rows, wanted ${wanted.errors}`
  if (missing.length + surplus.length === 0 && errors === null) return null
  return { view, missing, surplus, message: errors }
}

function surplusOf(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): string[] {
  const rows: string[] = []
  for (const [row, count] of a) {
    for (let i = b.get(row) ?? 0; i < count; i++) rows.push(row)
  }
  return rows.sort()
}

export function printDifference({ view, missing, surplus, message }: Difference): string {
  const list = (label: string, rows: readonly string[]): string[] =>
    rows.length === 0
      ? []
      : [...rows.slice(0, 10).map((row) => `  ${label} ${row}`), ...(rows.length > 10 ? [`  … ${rows.length}`] : [])]
  return [
    `view ${view}${message ? `: ${message}` : ''}`,
    ...list('missing', missing),
    ...list('surplus', surplus),
  ].join('\n')
}
