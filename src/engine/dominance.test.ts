import { describe, expect, it } from 'vitest'
import { nodesOf } from '../plan/nodes.ts'
import { sqlDefinition } from './definitions.ts'
import { dominanceOf } from './dominance.ts'

const bids = 'CREATE TABLE bid (auction int, bidder int NOT NULL, price bigint, note text, at timestamp NOT NULL);'
const best = (group: string, of = 'bid', value = 'max(price)') =>
  `(SELECT ${value} AS best, ${group} FROM ${of} GROUP BY ${group}) g`
const tumbled = (size: string) => `tumble(bid, at, interval '${size}')`

/** What is left out on each side of the only join of `SELECT b.* FROM …`. */
async function dominances(from: string): Promise<(string | null)[]> {
  const sql = `${bids} CREATE MATERIALIZED VIEW v AS SELECT b.bidder, b.note, b.price FROM ${from};`
  const { program } = await sqlDefinition(sql).plan({ topics: [], views: [] })
  const [join] = program.views.flatMap(({ plan }) => nodesOf(plan)).filter((node) => node.op === 'join')
  return (['left', 'right'] as const).map((side) => {
    const found = dominanceOf(join, side)
    if (found === null) return null
    const name = (column: number): string => join[side].columns[column].name
    const window = found.window === null ? [] : [`window of ${name(found.window.time)}`]
    return `${found.max ? 'max' : 'min'} ${name(found.value)} by ${[...found.keys.map(name), ...window].join(', ')}`
  })
}

describe('what a join by an extreme never needs', () => {
  it.each([
    [`bid b JOIN ${best('auction')} ON b.auction = g.auction AND b.price = g.best`, 'max price by auction'],
    [
      `bid b JOIN ${best('auction, bidder', 'bid', 'min(price)')} USING (auction, bidder) WHERE b.price = g.best AND b.note <> 'x'`,
      'min price by auction, bidder',
    ],
    [
      `bid b JOIN ${best('window_end', tumbled('10 s'))} ON b.price = g.best
       WHERE b.at BETWEEN g.window_end - interval '10 s' AND g.window_end`,
      'max price by window of at',
    ],
    [
      `bid b JOIN ${best('auction, window_start, window_end', tumbled('1 day'))} ON b.price = g.best
       AND b.auction = g.auction AND window_start < b.at AND b.at < window_start + interval '23 hours'`,
      'max price by auction, window of at',
    ],
    [
      `${tumbled('10 s')} b JOIN ${best('window_end', tumbled('10 s'))} ON b.window_end = g.window_end AND b.price = g.best`,
      'max price by window_end',
    ],
  ])('%s', async (from, expected) => {
    expect(await dominances(from)).toEqual([expected, null])
  })

  it('is left out on whichever side it stands', async () => {
    const from = `${best('auction')} JOIN bid b ON b.auction = g.auction AND b.price = g.best`
    expect(await dominances(from)).toEqual([null, 'max price by auction'])
  })

  it.each([
    ['another group', `bid b JOIN ${best('auction')} ON b.bidder = g.auction AND b.price = g.best`],
    ['any group', `bid b JOIN ${best('auction')} ON b.price = g.best`],
    [
      'another value',
      `bid b JOIN ${best('auction', 'bid', 'max(bidder)::bigint')} USING (auction) WHERE b.price = g.best`,
    ],
    ['some of the rows', `bid b JOIN ${best('auction', "bid WHERE note = ''")} USING (auction) WHERE b.price = g.best`],
    [
      'some of the values',
      `bid b JOIN ${best('auction', 'bid', 'max(price) FILTER (WHERE bidder > 1)')} USING (auction) WHERE b.price = g.best`,
    ],
    ['a sum', `bid b JOIN ${best('auction', 'bid', 'sum(price)::bigint')} USING (auction) WHERE b.price = g.best`],
    ['an outer join', `bid b LEFT JOIN ${best('auction')} ON b.auction = g.auction AND b.price = g.best`],
    [
      'more than the window',
      `bid b JOIN ${best('window_end', tumbled('10 s'))} ON b.price = g.best
       WHERE b.at BETWEEN g.window_end - interval '11 s' AND g.window_end`,
    ],
    [
      'a window without an end',
      `bid b JOIN ${best('window_end', tumbled('10 s'))} ON b.price = g.best WHERE b.at >= g.window_end - interval '10 s'`,
    ],
    [
      'overlapping windows',
      `bid b JOIN ${best('window_end', "hop(bid, at, interval '5 s', interval '10 s')")} ON b.price = g.best
       WHERE b.at BETWEEN g.window_end - interval '10 s' AND g.window_end`,
    ],
    [
      'windows of another size',
      `${tumbled('20 s')} b JOIN ${best('window_end', tumbled('10 s'))} ON b.window_end = g.window_end AND b.price = g.best`,
    ],
  ])('says nothing of %s', async (_, from) => {
    expect(await dominances(from)).toEqual([null, null])
  })
})
