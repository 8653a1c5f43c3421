import { existsSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser, parseSql } from '../sql/parse.ts'
import { defineProgram } from './definition.ts'
import { inputsOf, nodesOf } from './nodes.ts'
import { planSelect } from './optimise.ts'
import type { Plan } from './plan.ts'
import type { Program } from './program.ts'

beforeAll(loadParser)

function define(sql: string): Program {
  return defineProgram(parseSql(sql), planSelect).program
}

/** Joins in which every row meets every row, but for those with a side of a single row. */
function crossJoins(plan: Plan): Plan[] {
  const single = (side: Plan): boolean => {
    if (side.op === 'aggregate') return side.keys.length === 0
    return side.op === 'values' || (side.op === 'map' && single(side.input))
  }
  return nodesOf(plan).filter(
    (node) => node.op === 'join' && node.leftKeys.length === 0 && !inputsOf(node).some(single),
  )
}

const nexmark = `
CREATE TABLE person (
  id bigint NOT NULL, name text, emailAddress text, creditCard text, city text, state text, dateTime timestamp NOT NULL,
  extra text
) WITH (event_time = 'dateTime', lateness = '4 seconds');
CREATE TABLE auction (
  id bigint NOT NULL, itemName text, description text, initialBid bigint, reserve bigint, dateTime timestamp NOT NULL,
  expires timestamp, seller bigint, category bigint, extra text
) WITH (event_time = 'dateTime', lateness = '4 seconds');
CREATE TABLE bid (
  auction bigint NOT NULL, bidder bigint NOT NULL, price bigint NOT NULL, channel text, url text,
  dateTime timestamp NOT NULL, extra text
) WITH (event_time = 'dateTime', lateness = '4 seconds');
`

const nexmarkQueries: Readonly<Record<string, string>> = {
  q0: 'SELECT auction, bidder, price, dateTime, extra FROM bid',
  q1: 'SELECT auction, bidder, 0.908 * price AS price, dateTime, extra FROM bid',
  q2: 'SELECT auction, price FROM bid WHERE auction % 123 = 0',
  q3: `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id
       WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`,
  q4: `SELECT category, avg(final) AS price FROM (
         SELECT max(b.price) AS final, a.category FROM auction a, bid b
         WHERE a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires GROUP BY a.id, a.category
       ) q GROUP BY category`,
  q5: `WITH counts AS (
         SELECT auction, count(*) AS num, window_start
         FROM hop(bid, dateTime, interval '2 seconds', interval '10 seconds') GROUP BY auction, window_start
       )
       SELECT c.auction, c.num FROM counts c
       JOIN (SELECT max(num) AS top, window_start FROM counts GROUP BY window_start) m
         ON c.window_start = m.window_start AND c.num >= m.top`,
  q6: `SELECT seller, avg(final) AS price FROM (
         SELECT a.seller, b.price AS final, row_number() OVER (PARTITION BY a.seller ORDER BY b.dateTime DESC) AS recent
         FROM auction a, (
           SELECT auction, price, dateTime, row_number() OVER (PARTITION BY auction ORDER BY price DESC, dateTime) AS rn FROM bid
         ) b WHERE a.id = b.auction AND b.rn = 1
       ) q WHERE recent <= 10 GROUP BY seller`,
  q7: `SELECT b.auction, b.price, b.bidder, b.dateTime, b.extra FROM tumble(bid, dateTime, interval '10 seconds') b
       JOIN (SELECT max(price) AS top, window_end FROM tumble(bid, dateTime, interval '10 seconds') GROUP BY window_end) m
         ON b.price = m.top AND b.window_end = m.window_end`,
  q8: `SELECT p.id, p.name, p.window_start FROM
         (SELECT DISTINCT id, name, window_start FROM tumble(person, dateTime, interval '10 seconds')) p
       JOIN (SELECT DISTINCT seller, window_start FROM tumble(auction, dateTime, interval '10 seconds')) a
         ON p.id = a.seller AND p.window_start = a.window_start`,
  q9: `SELECT * FROM (
         SELECT a.*, b.bidder, b.price, row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime) AS rn
         FROM auction a JOIN bid b ON a.id = b.auction WHERE b.dateTime BETWEEN a.dateTime AND a.expires
       ) q WHERE rn <= 1`,
  q12: `SELECT bidder, count(*) AS bids, window_start, window_end FROM tumble(bid, dateTime, interval '10 seconds')
        GROUP BY bidder, window_start, window_end`,
  q14: `SELECT auction, bidder, 0.908 * price AS price,
          CASE WHEN extract(hour FROM dateTime) BETWEEN 8 AND 18 THEN 'dayTime'
               WHEN extract(hour FROM dateTime) <= 6 OR extract(hour FROM dateTime) >= 20 THEN 'nightTime'
               ELSE 'otherTime' END AS bidTimeType, dateTime, extra,
          length(extra) - length(replace(extra, 'c', '')) AS c_counts
        FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
  q15: `SELECT date_trunc('day', dateTime) AS day, count(*) AS total,
          count(*) FILTER (WHERE price < 10000) AS rank1, count(DISTINCT bidder) AS bidders,
          count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3, count(DISTINCT auction) AS auctions
        FROM bid GROUP BY date_trunc('day', dateTime)`,
  q16: `SELECT channel, dateTime::date AS day, max(dateTime::time) AS minute, count(*) AS total,
          count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1
        FROM bid GROUP BY channel, dateTime::date`,
  q17: `SELECT auction, dateTime::date AS day, count(*) AS total, count(*) FILTER (WHERE price < 10000) AS rank1,
          min(price), max(price), avg(price), sum(price)
        FROM bid GROUP BY auction, dateTime::date`,
  q18: `SELECT auction, bidder, price, channel, url, dateTime, extra FROM (
          SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) AS rn FROM bid
        ) q WHERE rn <= 1`,
  q19: `SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bid) q WHERE rn <= 10`,
  q20: `SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.dateTime AS bidTime, a.itemName, a.seller, a.category
        FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`,
  q21: `SELECT auction, bidder, price, channel,
          CASE WHEN lower(channel) = 'apple' THEN '0' ELSE split_part(split_part(url, 'channel_id=', 2), '&', 1) END AS channel_id
        FROM bid WHERE url LIKE '%channel_id=%' OR lower(channel) IN ('apple', 'google')`,
  q22: `SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2 FROM bid`,
}

describe('Nexmark', () => {
  it.each(Object.keys(nexmarkQueries))('%s', (name) => {
    const { views } = define(`${nexmark} CREATE MATERIALIZED VIEW v AS ${nexmarkQueries[name]};`)
    expect(crossJoins(views[0].plan)).toEqual([])
  })

  it('numbers rows only as far as they are read', () => {
    for (const name of ['q6', 'q9', 'q18', 'q19']) {
      const { views } = define(`${nexmark} CREATE MATERIALIZED VIEW v AS ${nexmarkQueries[name]};`)
      for (const node of nodesOf(views[0].plan)) if (node.op === 'topN') expect(node.limit).not.toBeNull()
    }
  })
})

const suites = process.env['MILLRACE_SUITES']
const tpch = suites === undefined ? null : `${suites}/tpch`
const present = tpch !== null && existsSync(`${tpch}/schema.sql`)

describe.skipIf(!present)(`TPC-H${present ? '' : ' (MILLRACE_SUITES is not set)'}`, () => {
  const numbers = Array.from({ length: 22 }, (_, i) => i + 1)
  it.each(numbers)('q%i', (number) => {
    const schema = readFileSync(`${tpch}/schema.sql`, 'utf8')
    const view = readFileSync(`${tpch}/views/tpch/views/q${number}.slt.part`, 'utf8').replace(/^statement ok$/m, '')
    const { views } = define(`${schema}\n${view}`)
    expect(crossJoins(views[0].plan)).toEqual([])
  })
})
