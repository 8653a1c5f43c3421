import { readFileSync } from 'node:fs'
import { topicsSql } from './topics.ts'

export interface Query {
  readonly name: string
  /** Events a second and core: what a first version shall reach, and where it shall get to. */
  readonly floor: number
  readonly goal: number
  /** Computes with texts that `texts: false` leaves empty. */
  readonly texts?: boolean
}

const stateless = { floor: 10e6, goal: 50e6 }
const windowed = { floor: 5e6, goal: 25e6 }
const stateful = { floor: 1e6, goal: 10e6 }
const other = { floor: 0.5e6, goal: 3e6 }

export const queries: readonly Query[] = [
  { name: 'q0', ...stateless },
  { name: 'q1', ...stateless },
  { name: 'q2', ...stateless },
  { name: 'q3', ...windowed },
  { name: 'q4', ...stateful },
  { name: 'q5', ...stateful },
  { name: 'q7', ...windowed },
  { name: 'q8', ...windowed },
  { name: 'q9', ...stateful },
  { name: 'q12', ...windowed },
  { name: 'q14', ...other, texts: true },
  { name: 'q15', ...other },
  { name: 'q16', ...other, texts: true },
  { name: 'q17', ...windowed },
  { name: 'q18', ...stateful },
  { name: 'q19', ...other },
  { name: 'q20', ...stateful },
  { name: 'q21', ...other, texts: true },
  { name: 'q22', ...other, texts: true },
]

/** The query as an app of Millrace: the topics and one view named like the query. */
export function millraceSql(name: string): string {
  return topicsSql() + readFileSync(new URL(`./queries/${name}.sql`, import.meta.url), 'utf8')
}

/** The query as one SELECT of DuckDB. */
export function duckdbSql(name: string): string {
  return readFileSync(new URL(`./queries/${name}.duckdb.sql`, import.meta.url), 'utf8')
}
