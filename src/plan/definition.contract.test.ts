import { beforeAll, expect, it } from 'vitest'
import { defineApp } from '../app/app.ts'
import { t } from '../app/column-type.ts'
import { query, table, topic, view } from '../app/definitions.ts'
import { sql } from '../app/sql-text.ts'
import { typeName } from '../data/sql-type.ts'
import { loadParser, parseSql } from '../sql/parse.ts'
import { appStatements } from './app-statements.ts'
import { bindSelect } from './bind.ts'
import { type Defined, defineProgram } from './definition.ts'

beforeAll(loadParser)

const file = `
-- a topic: a table with no primary key is append-only
CREATE TABLE bid (
  auction   bigint NOT NULL,
  bidder    bigint NOT NULL,
  price     bigint NOT NULL,
  channel   text,
  "dateTime" timestamp NOT NULL
) WITH (event_time = 'dateTime', lateness = '4 seconds');

CREATE TABLE account (id bigint PRIMARY KEY, owner text, balance numeric(12,2));

CREATE VIEW big AS
  SELECT * FROM bid WHERE price > 1000;

CREATE MATERIALIZED VIEW "bidsPerMinute" AS
  SELECT window_start, auction, count(*) AS bids, max(price) AS topPrice
  FROM tumble(bid, dateTime, interval '1 minute')
  GROUP BY window_start, auction;

CREATE MATERIALIZED VIEW closed WITH (emit = 'final') AS
  SELECT window_start, window_end, auction, count(*) AS bids
  FROM tumble(bid, dateTime, interval '1 minute')
  GROUP BY window_start, window_end, auction;

CREATE MATERIALIZED VIEW owners AS
  SELECT owner, count(*) AS "N" FROM big JOIN account ON bidder = id GROUP BY owner;
`

const bid = topic('bid', {
  schema: {
    auction: t.bigint(),
    bidder: t.bigint(),
    price: t.bigint(),
    channel: t.text().nullable(),
    dateTime: t.timestamp(),
  },
  time: 'dateTime',
  lateness: '4 seconds',
})
const account = table('account', {
  schema: { id: t.bigint(), owner: t.text().nullable(), balance: t.numeric(12, 2).nullable() },
  key: 'id',
})
const big = query('big', sql`  SELECT * FROM ${bid} WHERE price > ${1000}`)
const bidsPerMinute = view(
  'bidsPerMinute',
  sql`SELECT window_start, auction, count(*) AS bids, max(price) AS topPrice
      FROM tumble(${bid}, dateTime, interval '1 minute')
      GROUP BY window_start, auction`,
)
const closed = view(
  'closed',
  sql`SELECT window_start, window_end, auction, count(*) AS bids
      FROM tumble(${bid}, dateTime, interval '1 minute')
      GROUP BY window_start, window_end, auction`,
  { emit: 'final' },
)
const owners = view(
  'owners',
  sql`SELECT owner, count(*) AS "N" FROM ${big} JOIN ${account} ON bidder = id GROUP BY owner`,
)

const withoutText = ({ program, catalog }: Defined): unknown => ({
  topics: program.topics,
  views: program.views.map((definition) => ({ ...definition, sql: '' })),
  relations: catalog.relations.map(({ kind, name, columns }) => ({ kind, name, columns })),
})

it('a SQL file and a module that say the same give the same catalog', () => {
  const fromFile = defineProgram(parseSql(file, 'millrace.sql'), bindSelect)
  const app = defineApp({ bid, account, big, bidsPerMinute, closed, owners })
  const fromModule = defineProgram(appStatements(app), bindSelect)
  expect(withoutText(fromModule)).toEqual(withoutText(fromFile))
  const shown = fromFile.catalog.relations.map(
    ({ kind, name, columns }) => `${kind} ${name}: ${columns.map((c) => `${c.name} ${typeName(c.type)}`).join(', ')}`,
  )
  expect(shown).toEqual([
    'topic bid: auction bigint, bidder bigint, price bigint, channel text, dateTime timestamp without time zone',
    'table account: id bigint, owner text, balance numeric(12,2)',
    'query big: auction bigint, bidder bigint, price bigint, channel text, dateTime timestamp without time zone',
    'view bidsPerMinute: window_start timestamp without time zone, auction bigint, bids bigint, topPrice bigint',
    'view closed: window_start timestamp without time zone, window_end timestamp without time zone, auction bigint, bids bigint',
    'view owners: owner text, N bigint',
  ])
})

it('a program survives JSON, and defining it again changes nothing', () => {
  const { program } = defineProgram(parseSql(file), bindSelect)
  const stored = JSON.parse(JSON.stringify(program)) as typeof program
  expect(stored).toEqual(program)
  expect(defineProgram(parseSql(file), bindSelect, stored).program).toEqual(program)
})
