import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser, parseSql } from '../sql/parse.ts'
import { defineProgram } from './definition.ts'
import { planSelect } from './optimise.ts'
import type { Program, TopicDefinition } from './program.ts'
import { afterEvents, noteDropped } from './schema-change.ts'

beforeAll(() => loadParser())

const nothing: Program = { topics: [], views: [] }

/** One definition after the other, each a topic's columns. */
function became(...definitions: readonly string[]): TopicDefinition {
  let program = nothing
  for (const columns of definitions) {
    program = defineProgram(parseSql(`CREATE TABLE t (${columns})`), planSelect, program).program
  }
  return program.topics[0]
}

function refusal(...definitions: readonly string[]): string {
  try {
    became(...definitions)
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string }
    return `${code}: ${message} (${hint})`
  }
  return 'allowed'
}

const shape = ({ columns }: TopicDefinition): string =>
  columns.map(({ name, id, added }, i) => `${name}#${id ?? i}${added ? '+' : ''}`).join(' ')

describe('columns of a topic that is defined anew', () => {
  it('keep their numbers, and new ones get numbers that nobody had', () => {
    expect(shape(became('a int, b int, c int'))).toBe('a#0 b#1 c#2')
    expect(shape(became('a int, b int, c int', 'c int, A int'))).toBe('c#2 A#0')
    expect(shape(became('a int, b int, c int', 'a int, b int', 'd int, a int, b int'))).toBe('d#3+ a#0 b#1')
    expect(shape(became('a int, b int', 'a int', 'a int, c int', 'b int, a int'))).toBe('b#1+ a#0')
    expect(shape(became('a int, b int', 'a int', 'a int, c int', 'b int, a int', 'd int, a int'))).toBe('d#3+ a#0')
  })

  it('that did not change are as they were, to the letter', () => {
    const first = became('a int, b text NOT NULL')
    expect(JSON.stringify(became('a int, b text NOT NULL', 'a int, b text NOT NULL'))).toBe(JSON.stringify(first))
    expect(JSON.stringify(first)).not.toMatch(/"(id|added|was|dropped)":[^1]/)
    const changed = ['a int, b text', 'c int, a bigint', 'a numeric, b text'] as const
    const once = became(...changed)
    expect(became(...changed, changed[2])).toEqual(once)
  })

  it('widen, and remember what they were', () => {
    const widened = became('a smallint', 'a int', 'a int', 'a numeric(12,2)', 'a numeric')
    expect(widened.columns).toEqual([
      {
        name: 'a',
        type: { kind: 'numeric' },
        nullable: true,
        was: [{ kind: 'smallint' }, { kind: 'integer' }, { kind: 'numeric', precision: 12, scale: 2 }],
      },
    ])
    const allowed = [
      ['bigint', 'numeric(19,0)'],
      ['smallint', 'numeric(6,1)'],
      ['numeric(5,2)', 'numeric(30,2)'],
      ['numeric(5,2)', 'numeric'],
      ['varchar(5)', 'varchar(6)'],
      ['varchar(5)', 'varchar'],
      ['varchar', 'text'],
      ['text', 'varchar'],
      ['real', 'double precision'],
      ['int NOT NULL', 'int'],
    ]
    for (const [from, to] of allowed) expect(refusal(`a ${from}`, `a ${to}`), `${from} → ${to}`).toBe('allowed')
  })

  it('are refused any other change, with both types and a hint', () => {
    const refused = [
      ['int', 'smallint'],
      ['bigint', 'numeric(20,2)'],
      ['bigint', 'double precision'],
      ['int', 'text'],
      ['numeric', 'numeric(30,2)'],
      ['numeric(5,2)', 'numeric(8,4)'],
      ['numeric(5,2)', 'numeric(4,2)'],
      ['varchar(6)', 'varchar(5)'],
      ['varchar', 'varchar(5)'],
      ['text', 'varchar(5)'],
      ['double precision', 'real'],
      ['date', 'timestamp'],
      ['timestamp', 'timestamptz'],
      ['jsonb', 'text'],
    ]
    for (const [from, to] of refused) {
      expect(refusal(`a ${from}`, `a ${to}`), `${from} → ${to}`).toMatch(/^schema\/incompatible: topic t is not what/)
    }
    expect(refusal('a int', 'a text')).toBe(
      'schema/incompatible: topic t is not what the log holds: column a was integer and is text now (a column only ' +
        'widens (smallint, integer, bigint, numeric; real, double precision; varchar, text): give the changed one ' +
        'another name)',
    )
    expect(refusal('a int', 'a int NOT NULL')).toMatch('column a could be NULL and is NOT NULL now (declare a without')
    expect(refusal('a int', 'a int, b text NOT NULL')).toMatch(
      'its new column b text is NOT NULL, and events of before',
    )
    expect(refusal('a int, b int', 'a int', 'a int, b text')).toMatch(
      'its column b, which it had before as integer, comes back as text',
    )
    expect(refusal('a int PRIMARY KEY, b int', 'a int, b int')).toMatch('its primary key was (a) and is () now')
    expect(refusal('a int PRIMARY KEY, b int NOT NULL', 'b int PRIMARY KEY')).toMatch('was (a) and is (b) now')
    expect(refusal('a int PRIMARY KEY', 'b int, a bigint PRIMARY KEY')).toBe('allowed')
  })

  it('come back as NOT NULL only if no event came without them', () => {
    const define = (columns: string, previous: Program): Program =>
      defineProgram(parseSql(`CREATE TABLE t (${columns})`), planSelect, previous).program
    const first = define('a int, b int NOT NULL', nothing)
    const without = noteDropped(define('a int', first), () => 7)
    const back = (events: number): Program =>
      define(
        'a int, b int NOT NULL',
        afterEvents(without, () => events),
      )
    expect(shape(back(7).topics[0])).toBe('a#0 b#1+')
    expect(() => back(8)).toThrow('its column b comes back as NOT NULL, and events have come without it')
    // Stored once more, it still says how many there were when it went.
    const later = noteDropped(
      define(
        'a int, c int',
        afterEvents(without, () => 9),
      ),
      () => 9,
    )
    expect(later.topics[0].dropped).toMatchObject([{ name: 'b', id: 1, events: 7, nullable: true }])
  })
})
