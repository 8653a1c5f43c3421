import { PGlite } from '@electric-sql/pglite'
import fc from 'fast-check'
import { loadModule } from 'libpg-query'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Batch } from '../../src/data/batch.ts'
import { MillraceError } from '../../src/data/errors.ts'
import { Arena, LinearMemory } from '../../src/data/memory.ts'
import { type SqlType, typeName } from '../../src/data/sql-type.ts'
import { compileMap } from '../../src/expr/compile.ts'
import { canonicalText } from '../../src/expr/literal.ts'
import type { Scalar } from '../../src/expr/scalar.ts'
import { bindText } from './bind-text.ts'
import { columns, expressions, rows } from './cases.ts'
import { batchOfTexts, textsOf } from './cells.ts'
import { literalCases, randomLiteral } from './literals.ts'
import { randomExpression } from './random.ts'

/** PostgreSQL evaluates the same expressions over the same rows; what it prints is what we print. */

let database: PGlite
const memory = new LinearMemory()
const inputs = new Arena(memory)
const results = new Arena(memory)
const whole = batchOfTexts(inputs, columns, rows)
const alone = rows.map((row) => batchOfTexts(inputs, columns, [row]))

beforeAll(async () => {
  await loadModule()
  database = new PGlite()
  await database.exec("SET timezone = 'UTC'; SET extra_float_digits = 1")
  const declared = columns.map(({ name, type }) => `"${name}" ${typeName(type)}`).join(', ')
  await database.exec(`CREATE TABLE sample (row_id integer, ${declared})`)
  for (const [id, row] of rows.entries()) {
    const places = row.map((_, i) => `$${i + 2}::text::${typeName(columns[i].type)}`).join(', ')
    await database.query(`INSERT INTO sample VALUES ($1, ${places})`, [id, ...row])
  }
  await database.exec(`
    CREATE FUNCTION attempt(expression text, id integer) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE result text;
    BEGIN
      EXECUTE 'SELECT (' || expression || ')::text FROM sample WHERE row_id = ' || id INTO result;
      RETURN result;
    EXCEPTION WHEN others THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
    END $$`)
})

afterAll(() => database?.close())

async function oracle(expression: string): Promise<(string | null)[]> {
  const options = { rowMode: 'array' as const }
  try {
    const { rows: found } = await database.query<[string | null]>(
      `SELECT (${expression})::text FROM sample ORDER BY row_id`,
      [],
      options,
    )
    return found.map(([text]) => text)
  } catch {
    const { rows: found } = await database.query<[string | null]>(
      'SELECT attempt($1, row_id) FROM sample ORDER BY row_id',
      [expression],
      options,
    )
    return found.map(([text]) => text)
  }
}

/** Compiled once, so that rows that come alone meet the variants the batch was computed with. */
function computer(scalar: Scalar): (batch: Batch) => (string | null)[] {
  const map = compileMap(columns, null, [scalar])
  const schema = { name: 'result', type: scalar.type, nullable: true }
  return (batch) => {
    const { batch: result } = map.run(results, batch, 0n)
    const texts = textsOf(results, schema, result!.columns[0], result!.rows)
    results.reset()
    return texts
  }
}

/** −0 is 0 here. */
function kind(text: string | null): string | null {
  return text?.startsWith('error ') ? 'error' : text === '-0' ? '0' : text
}

/** numeric(p,s) holds no NaN here, which is refused and not lost. */
function isRefusedNaN(expression: string, found: string | null, expected: string | null): boolean {
  return expected === 'NaN' && /::numeric\(/.test(expression) && found?.startsWith('error ') === true
}

/** What differs between PostgreSQL's rows and ours, in words. */
async function differences(expression: string): Promise<string[]> {
  const expected = await oracle(expression)
  let scalar: Scalar
  try {
    scalar = bindText(expression, columns)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw new Error(`binding ${expression}`, { cause: error })
    // What is refused must be wrong in PostgreSQL too.
    const wrong = expected.every((text) => text?.startsWith('error '))
    return wrong ? [] : [`${expression}: refused: ${error.message}`]
  }
  try {
    return compared(expression, expected, computer(scalar))
  } catch (error) {
    throw new Error(`computing ${expression}`, { cause: error })
  }
}

function compared(
  expression: string,
  expected: readonly (string | null)[],
  compute: (batch: Batch) => (string | null)[],
): string[] {
  const wrong: string[] = []
  const found = compute(whole)
  for (const [row, text] of expected.entries()) {
    if (kind(text) !== kind(found[row]) && !isRefusedNaN(expression, found[row], text)) {
      wrong.push(`${expression} in row ${row}: ${found[row]}, PostgreSQL says ${text}`)
    }
    // The batch as a whole goes over to BigInts half-way; each row alone starts with doubles.
    const [single] = compute(alone[row])
    if (single !== found[row]) wrong.push(`${expression} in row ${row}: ${found[row]}, alone ${single}`)
  }
  return wrong
}

describe('expressions', () => {
  it('are evaluated as PostgreSQL does', async () => {
    const wrong: string[] = []
    for (const expression of expressions) wrong.push(...(await differences(expression)))
    expect(wrong).toEqual([])
  }, 300_000)

  it('are evaluated as PostgreSQL does, made up at random', async () => {
    const seed = Number(process.env['ORACLE_SEED'] ?? 1)
    const numRuns = Number(process.env['ORACLE_RUNS'] ?? 300)
    const wrong: string[] = []
    for (const expression of fc.sample(randomExpression, { seed, numRuns }))
      wrong.push(...(await differences(expression)))
    expect(wrong, `seed ${seed}`).toEqual([])
  }, 600_000)
})

/** What PostgreSQL reads a text as, in print; null where it refuses. */
async function read(type: SqlType, text: string): Promise<string | null> {
  try {
    const { rows: found } = await database.query<[string]>(`SELECT CAST($1::text AS ${typeName(type)})::text`, [text], {
      rowMode: 'array',
    })
    return found[0][0]
  } catch {
    return null
  }
}

describe('literals', () => {
  it('are read as PostgreSQL does, or refused', async () => {
    const seed = Number(process.env['ORACLE_SEED'] ?? 1)
    const numRuns = Number(process.env['ORACLE_RUNS'] ?? 300)
    const wrong: string[] = []
    for (const { type, text } of [...literalCases, ...fc.sample(randomLiteral, { seed, numRuns })]) {
      if (text.includes('\0')) continue
      const ours = canonicalText(text, type)
      const theirs = await read(type, text)
      if (ours === theirs || (theirs === '-0' && ours === '0')) continue
      // Text forms that we don't take are refused, never read otherwise.
      if (ours === null && refusedForms.some((form) => form.test(text))) continue
      wrong.push(`${typeName(type)} ${JSON.stringify(text)}: ${ours}, PostgreSQL says ${theirs}`)
    }
    expect(wrong, `seed ${seed}`).toEqual([])
  }, 600_000)
})

/** Beyond ISO: offsets from UTC where there is no zone to keep them, and ways of writing that nobody writes. */
const refusedForms: readonly RegExp[] = [/^\d+-\d+-\d+.*[+-]\d/, /^0x|nan\(|^PT$|,$|\sT\s|\d\.(?:\s|[a-z]|$)|[a-z]\d/i]
