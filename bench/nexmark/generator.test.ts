import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { chunkEvents, Generator } from './generator.ts'
import { NdjsonWriter } from './ndjson.ts'
import { type Row, rowsOf } from './rows.ts'
import type { NexmarkOptions } from './rules.ts'
import { type TopicName, topics } from './topics.ts'

type Rows = Record<TopicName, Row[]>

function generate(events: number, options: Partial<NexmarkOptions> = {}): Rows {
  const generator = new Generator(options)
  const all: Rows = { person: [], auction: [], bid: [] }
  while (generator.events < events) {
    generator.next(Math.min(chunkEvents, events - generator.events))
    for (const { name } of topics) all[name].push(...rowsOf(generator.topic(name)))
  }
  return all
}

const events = 100_000
const rows = generate(events)
const share = (part: number, all: number): number => part / all
const near = (value: number, wanted: number, tolerance: number): void =>
  assert.ok(Math.abs(value - wanted) <= tolerance, `${value} is not within ${tolerance} of ${wanted}`)
const number = (row: Row, column: string): number => row[column] as number
const text = (row: Row, column: string): string => row[column] as string

function digest(all: Rows): string {
  return createHash('sha256').update(JSON.stringify(all)).digest('hex')
}

describe('the generator', () => {
  it('is a function of its seed and not of how many events are asked for at once', () => {
    const first = generate(5000, { seed: 7 })
    assert.equal(digest(generate(5000, { seed: 7 })), digest(first))
    assert.notEqual(digest(generate(5000, { seed: 8 })), digest(first))
    const generator = new Generator({ seed: 7 })
    const small: Rows = { person: [], auction: [], bid: [] }
    while (generator.events < 5000) {
      generator.next(Math.min(137, 5000 - generator.events))
      for (const { name } of topics) small[name].push(...rowsOf(generator.topic(name)))
    }
    assert.equal(digest(small), digest(first))
  })

  it('makes 1 person, 3 auctions and 46 bids of every 50 events', () => {
    assert.deepEqual([rows.person.length, rows.auction.length, rows.bid.length], [2000, 6000, 92_000])
  })

  it('numbers people and auctions one by one', () => {
    rows.person.forEach((row, i) => {
      assert.equal(row['id'], 1000 + i)
    })
    rows.auction.forEach((row, i) => {
      assert.equal(row['id'], 1000 + i)
    })
  })

  it('spaces event times by the rate, in order', () => {
    const times = rows.bid.map((row) => number(row, 'date_time'))
    for (let i = 1; i < times.length; i++) assert.ok(times[i] >= times[i - 1])
    near(times[times.length - 1] - times[0], (events / 10_000) * 1e6, 10_000)
    assert.equal(new Date(number(rows.person[0], 'date_time') / 1000).toISOString(), '2015-07-15T00:00:00.000Z')
  })

  it('puts half of the bids on the hot auction and the others on auctions that are open', () => {
    let hot = 0
    rows.bid.forEach((row, i) => {
      const newest = 1000 + Math.floor(i / 46) * 3 + 2
      const auction = number(row, 'auction')
      const hottest = 1000 + (newest - 1000) - ((newest - 1000) % 100)
      if (auction === hottest) hot++
      else assert.ok(auction >= Math.max(1000, newest - 100) && auction <= newest + 10)
    })
    near(share(hot, rows.bid.length), 0.5 + 0.5 / 111, 0.01)
  })

  it('gives three of four bids to the hot bidder and three of four auctions to the hot seller', () => {
    const bidders = rows.bid.filter((row) => (number(row, 'bidder') - 1001) % 100 === 0)
    near(share(bidders.length, rows.bid.length), 0.75 + 0.25 / 100, 0.01)
    const sellers = rows.auction.filter((row) => (number(row, 'seller') - 1000) % 100 === 0)
    near(share(sellers.length, rows.auction.length), 0.75 + 0.25 / 100, 0.02)
  })

  it('draws prices log-uniformly from 1 to 1,000,000 dollars in cents', () => {
    const logs = rows.bid.map((row) => Math.log10(number(row, 'price') / 100) / 6).sort((a, b) => a - b)
    assert.ok(logs[0] >= 0 && logs[logs.length - 1] <= 1)
    // Kolmogorov–Smirnov: 1.95/√n is passed by chance once in a thousand; the seed is fixed.
    const distance = Math.max(...logs.map((value, i) => Math.abs(value - (i + 0.5) / logs.length)))
    assert.ok(distance < 1.95 / Math.sqrt(logs.length), `distance ${distance}`)
  })

  it('ends auctions so that about 100 are open at a time', () => {
    const lengths = rows.auction.map((row) => (number(row, 'expires') - number(row, 'date_time')) / 1000)
    assert.ok(Math.min(...lengths) >= 1)
    // 100 auctions take 1666 events, 166 ms at this rate; lengths are uniform up to twice that.
    near(lengths.reduce((a, b) => a + b) / lengths.length, 167, 5)
    for (const row of rows.auction) assert.ok(number(row, 'reserve') > number(row, 'initial_bid'))
    const perCategory = [10, 11, 12, 13, 14].map((c) => rows.auction.filter((row) => row['category'] === c).length)
    for (const count of perCategory) near(share(count, rows.auction.length), 0.2, 0.03)
  })

  it('names half of the channels after the hot four and gives each channel one page', () => {
    const hot = rows.bid.filter((row) => !text(row, 'channel').startsWith('channel-'))
    near(share(hot.length, rows.bid.length), 0.5, 0.01)
    assert.deepEqual([...new Set(hot.map((row) => row['channel']))].sort(), ['Apple', 'Baidu', 'Facebook', 'Google'])
    const pages = new Map<string, string>()
    let named = 0
    for (const row of rows.bid) {
      const [channel, url] = [text(row, 'channel'), text(row, 'url')]
      assert.equal(pages.get(channel) ?? url, url)
      pages.set(channel, url)
      assert.match(url, /^https:\/\/www\.nexmark\.com(\/[a-z_]{3,4}){3}\/item\.htm\?query=1(&channel_id=\d+)?$/)
      if (url.includes('channel_id')) named++
    }
    near(share(named, rows.bid.length), 0.45, 0.02)
  })

  it('fills events up to their average size', () => {
    const size = (row: Row): number =>
      Object.values(row).reduce<number>((sum, cell) => sum + (typeof cell === 'string' ? cell.length : 8), 0)
    const average = (all: readonly Row[]): number => all.reduce((sum, row) => sum + size(row), 0) / all.length
    near(average(rows.person), 200 + 8, 4)
    near(average(rows.auction), 500 + 8, 8)
    for (const row of rows.bid) assert.ok(text(row, 'extra').length >= 54 && text(row, 'extra').length < 82)
    for (const row of rows.person) assert.match(text(row, 'credit_card'), /^\d{4} \d{4} \d{4} \d{4}$/)
    for (const row of rows.person) assert.match(text(row, 'email_address'), /^[a-z ]+@[a-z ]+\.com$/)
  })

  it('leaves texts out when asked to, and changes no number', () => {
    const full = generate(5000)
    const lean = generate(5000, { texts: false })
    for (const { name, columns } of topics) {
      full[name].forEach((row, i) => {
        for (const column of columns) {
          const kept = column.kind !== 'text' || (name === 'person' && ['name', 'city', 'state'].includes(column.name))
          assert.equal(lean[name][i][column.name], kept ? row[column.name] : '')
        }
      })
    }
  })

  it('shuffles within groups when asked to, and loses nothing', () => {
    const shuffled = generate(10_000, { outOfOrderGroup: 100 })
    const times = shuffled.bid.map((row) => number(row, 'date_time'))
    assert.ok(times.some((time, i) => i > 0 && time < times[i - 1]))
    assert.equal(shuffled.bid.length, 9200)
    assert.equal(new Set(shuffled.auction.map((row) => row['id'])).size, 600)
  })
})

describe('NDJSON', () => {
  it('says what the columns hold', () => {
    const generator = new Generator()
    generator.next(5000)
    for (const { name, columns } of topics) {
      const writer = new NdjsonWriter(64)
      writer.write(generator.topic(name))
      const lines = writer.bytes.toString('utf8', 0, writer.length).trimEnd().split('\n')
      const timestamps = columns.filter((column) => column.kind === 'timestamp').map((column) => column.name)
      const parsed = lines.map((line) => {
        const row = JSON.parse(line) as Row
        for (const column of timestamps) row[column] = Date.parse(`${row[column]}Z`) * 1000
        return row
      })
      assert.deepEqual(parsed, rowsOf(generator.topic(name)))
    }
  })
})
