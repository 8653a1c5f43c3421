import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser, parseSql } from '../sql/parse.ts'
import { defineProgram } from './definition.ts'
import { planSelect } from './optimise.ts'
import { topologyOf } from './topology.ts'

beforeAll(loadParser)

/** What the operators of a view over `s` are called, from the topic up. */
function wordsOf(select: string): string[] {
  const text = `
    CREATE TABLE s (id bigint NOT NULL, a bigint, b bigint, name text, at timestamp NOT NULL) WITH (event_time = 'at');
    CREATE MATERIALIZED VIEW v AS ${select}`
  const { nodes } = topologyOf(defineProgram(parseSql(text), planSelect).program, (meaning) => meaning)
  return nodes.flatMap((node) => (node.kind === 'operator' ? [`${node.label} ${node.detail}`] : []))
}

describe('what nobody named is called by what it is', () => {
  it.each([
    [
      "SELECT date_trunc('day', at) AS day, sum(a * 2) AS n FROM s GROUP BY 1 HAVING sum(a * 2) > 0",
      [
        "select date_trunc('day', at), a * 2",
        "group by date_trunc('day', at): sum(a * 2)",
        'filter where sum(a * 2) > 0',
      ],
    ],
    [
      'SELECT count(DISTINCT a), count(*) FILTER (WHERE b > 1) AS n FROM s',
      ['select a, b > 1', 'aggregate count(DISTINCT a), count(*) FILTER (WHERE b > 1)'],
    ],
    [
      "SELECT window_start, lower(name) AS l, count(*) FROM tumble(s, at, interval '1 minute') GROUP BY 1, 2",
      ['window of 1 minute', 'select window_start, lower(name)', 'group by lower(name), 1-minute windows: count(*)'],
    ],
    ['SELECT id FROM s ORDER BY a * b DESC, id LIMIT 3', ['select id, a * b', 'top 3 by a * b desc, id', 'select id']],
    [
      'SELECT x.id, y.id AS other FROM s x JOIN s y ON x.a + 1 = y.b',
      ['select id, a + 1', 'join left.a + 1 = right.b', 'select id#1, id#3 as other'],
    ],
    [
      'SELECT x.id FROM s x JOIN s y ON x.a = y.a AND x.id <> y.id',
      ['join left.a = right.a and left.id <> right.id', 'select id#1'],
    ],
    ['SELECT id FROM s WHERE a IN (SELECT b + 1 FROM s)', ['select b + 1', 'exists left.a = right.b + 1', 'select id']],
    [
      "SELECT id FROM s WHERE at > now() - interval '1 day'",
      [
        "select id, at::timestamp with time zone + interval '24:00:00'",
        "while now() < at::timestamp with time zone + interval '24:00:00'",
        'select id',
      ],
    ],
    [
      'SELECT id FROM s EXCEPT SELECT b FROM s',
      [
        'select id',
        'select b as id',
        'union all 2 inputs',
        'group by id: rows of the left side, rows of the right side',
        'filter where (rows of the left side > 0) AND (rows of the right side = 0)',
      ],
    ],
  ])('%s', (select, words) => {
    expect(wordsOf(select)).toEqual(words)
  })
})
