// The last state of a simulation, asked from PostgreSQL over the same events.
import { sharedOracle } from '../test/law/oracle.ts'
import { queries, type ViewName } from './app.ts'
import { eventText } from './model.ts'
import type { Simulation } from './simulate.ts'

const schema = `
CREATE TABLE bid (id bigint, account bigint, item int, price bigint, at timestamp);
CREATE TABLE account (id bigint PRIMARY KEY, owner text, balance numeric(12,2), rev bigint);
CREATE VIEW per_item AS ${queries.per_item};`

/** Views that PostgreSQL knows nothing like: they need watermarks or the tick's time, or have error rows. */
const unknown: readonly ViewName[] = ['per_window_final', 'late', 'recent', 'parts']

/** @returns what is wrong, or null */
export async function checkWithPostgres({ history, plan }: Simulation): Promise<string | null> {
  const oracle = await sharedOracle()
  const { events, last } = history.end()
  const statements = ['BEGIN', 'CREATE SCHEMA sim', 'SET LOCAL search_path = sim', schema]
  for (const event of events) {
    const [topic, ...cells] = JSON.parse(eventText(event)) as (string | null)[]
    const values = cells.map((cell) => (cell === null ? 'NULL' : `'${cell}'`)).join()
    if (topic !== 'bid') statements.push(`DELETE FROM account WHERE id = ${cells[0]}`)
    if (topic !== 'account-') statements.push(`INSERT INTO ${topic} VALUES (${values})`)
  }
  try {
    await oracle.exec(statements.join(';\n'))
    for (const view of plan.views) {
      if (unknown.includes(view)) continue
      const { rows } = await oracle.ask(postgresQuery(view))
      const wanted = rows.map((row) => JSON.stringify(row)).sort()
      const found = last.get(view) ?? []
      if (wanted.join() !== found.join()) return `${view} is ${found.join()}; PostgreSQL says ${wanted.join()}`
    }
    return null
  } finally {
    await oracle.exec('ROLLBACK')
  }
}

function postgresQuery(view: ViewName): string {
  const start = "date_bin('10 seconds', at, '1970-01-01')"
  if (view === 'per_window') return `SELECT ${start}, item, count(*), sum(price) FROM bid GROUP BY 1, 2`
  return queries[view]
}
