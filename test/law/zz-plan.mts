import fc from 'fast-check'
import { query } from '../plans/queries.ts'
import { parseCase } from './case-file.ts'
import { EngineSubject } from './engine-subject.ts'
import { sharedOracle } from './oracle.ts'
import { runCase } from './run-case.ts'

const oracle = await sharedOracle(),
  subject = await EngineSubject.load()
const cell = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -1, max: 3 }) },
  { weight: 1, arbitrary: fc.constant(null) },
)
const int = fc.integer({ min: -1, max: 3 })
const event = fc.oneof(
  fc.record({ a: cell, b: cell, c: cell }).map((d) => ({ topic: 't', data: d })),
  fc.record({ a: cell, d: int }).map((d) => ({ topic: 'u', data: d })),
  fc.record({ k: int, a: cell, e: cell }).map((d) => ({ topic: 'w', data: d })),
  int.map((k) => ({ topic: 'w', op: 'delete', data: { k } })),
)
const schema =
  'CREATE TABLE t (a int, b int, c int);\nCREATE TABLE u (a int, d int NOT NULL);\nCREATE TABLE w (k int PRIMARY KEY, a int, e int);'
const samples = fc.sample(fc.tuple(query, fc.array(event, { minLength: 3, maxLength: 25 })), {
  numRuns: Number(process.argv[2]),
  seed: Number(process.argv[3]),
})
let n = 0,
  bad = 0,
  skipped = 0
for (const [sql0, events] of samples) {
  if (/ \/ /.test(sql0)) {
    skipped++
    continue
  }
  const sql = sql0
  const oracleSql = sql.replaceAll('OVER (PARTITION BY a ORDER BY c)', 'OVER (PARTITION BY a ORDER BY c, a, b)')
  const text = `-- x\n\n-- schema\n${schema}\n\n-- events\n${events.map((e) => JSON.stringify(e)).join('\n')}\n\n-- view\nCREATE MATERIALIZED VIEW v AS ${sql};\n\n-- oracle v\n${oracleSql}\n`
  const m = await runCase(oracle, subject, parseCase('x', text))
  n++
  if (m !== null) {
    bad++
    console.log('-----', m, '\n', text)
    if (bad >= 3) break
  }
}
console.log({ n, bad, skipped })
process.exit(0)
