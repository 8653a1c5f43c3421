import type { MemoryViews } from '../../src/data/memory.ts'
import { bytesFor, layOut, type TopicColumns } from './columns.ts'
import { Letters } from './letters.ts'
import { Random } from './random.ts'
import {
  activePeople,
  allShares,
  auctionShare,
  categories,
  cities,
  coldChannels,
  defaultOptions,
  eventTimeMs,
  firstAuctionId,
  firstCategoryId,
  firstNames,
  firstPersonId,
  hotAuctionRatio,
  hotBidderRatio,
  hotChannels,
  hotSellerRatio,
  hotStride,
  idLead,
  inFlightAuctions,
  lastAuction,
  lastNames,
  lastPerson,
  type NexmarkOptions,
  personShare,
  states,
} from './rules.ts'
import { auction, bid, person, type TopicName } from './topics.ts'

/** Events of each chunk: what is appended with one commit. */
export const chunkEvents = 8192

/** Longest texts in bytes; `extra` follows from the configured averages. */
const longestTexts = {
  name: 24,
  email_address: 20,
  credit_card: 20,
  city: 16,
  state: 4,
  item_name: 20,
  description: 100,
  channel: 16,
  url: 88,
} as const

/**
 * Nexmark's events, from a seed: the same options give the same bytes. `next` fills the columns with the next chunk;
 * what they hold lasts until the next call.
 */
export class Generator {
  readonly options: NexmarkOptions
  readonly person: TopicColumns
  readonly auction: TopicColumns
  readonly bid: TopicColumns
  /** Events generated so far. */
  events = 0
  readonly #random: Random
  readonly #letters: Letters
  readonly #u8: Uint8Array

  constructor(options: Partial<NexmarkOptions> = {}) {
    this.options = { ...defaultOptions, ...options }
    const { personBytes, auctionBytes, bidBytes } = this.options
    const rounds = Math.ceil(chunkEvents / allShares) + 1
    const plans = [
      { topic: person, longest: { ...longestTexts, extra: longestExtra(personBytes) }, rows: rounds },
      { topic: auction, longest: { ...longestTexts, extra: longestExtra(auctionBytes) }, rows: rounds * 3 },
      { topic: bid, longest: { ...longestTexts, extra: longestExtra(bidBytes) }, rows: rounds * 46 },
    ]
    let bytes = Letters.bytes
    const starts = plans.map(({ topic, longest, rows }) => {
      const start = bytes
      bytes += bytesFor(topic, longest, rows)
      return start
    })
    const memory = viewsOf(new ArrayBuffer(bytes))
    const [people, auctions, bids] = plans.map(({ topic, longest, rows }, i) =>
      layOut(topic, longest, rows, memory, starts[i]),
    )
    this.person = people
    this.auction = auctions
    this.bid = bids
    this.#u8 = memory.u8
    this.#random = new Random(this.options.seed)
    this.#letters = new Letters(memory.u8, this.#random)
  }

  topic(name: TopicName): TopicColumns {
    return this[name]
  }

  /** Fills the columns with the next events. @param count at most `chunkEvents` */
  next(count = chunkEvents): void {
    this.person.clear()
    this.auction.clear()
    this.bid.clear()
    const group = this.options.outOfOrderGroup
    for (let i = 0; i < count; i++) {
      const arrival = this.events++
      const event = group === 1 ? arrival : shuffled(arrival, group)
      const place = event % allShares
      if (place < personShare) this.#person(event)
      else if (place < personShare + auctionShare) this.#auction(event)
      else this.#bid(event)
    }
  }

  /** The cell stays empty where texts are left out. @param end what was written to */
  #close(out: TopicColumns, column: number, end: number): void {
    out.close(column, this.options.texts ? end : out.open(column))
  }

  #person(event: number): void {
    const out = this.person
    const random = this.#random
    const letters = this.#letters
    out.integer(0, firstPersonId + lastPerson(event))
    let at = letters.word(firstNames[random.below(firstNames.length)], out.open(1))
    this.#u8[at++] = 32
    at = letters.word(lastNames[random.below(lastNames.length)], at)
    const name = at - out.open(1)
    out.close(1, at)
    const mail = out.open(2)
    at = letters.text(7, mail)
    this.#u8[at++] = 64
    at = letters.word('.com', letters.text(5, at))
    const email = at - mail
    this.#close(out, 2, at)
    at = out.open(3)
    for (let i = 0; i < 4; i++) {
      if (i > 0) this.#u8[at++] = 32
      at = letters.digits4(at)
    }
    this.#close(out, 3, at)
    const city = cities[random.below(cities.length)]
    out.close(4, letters.word(city, out.open(4)))
    const state = states[random.below(states.length)]
    out.close(5, letters.word(state, out.open(5)))
    out.integer(6, this.#timeMs(event) * 1000)
    const size = 8 + name + email + 19 + city.length + state.length
    this.#close(out, 7, this.#extra(size, this.options.personBytes, out.open(7)))
    out.rows++
  }

  #auction(event: number): void {
    const out = this.auction
    const random = this.#random
    const letters = this.#letters
    const time = this.#timeMs(event)
    const people = lastPerson(event)
    out.integer(0, firstAuctionId + lastAuction(event))
    const item = out.open(1)
    const itemEnd = letters.text(20, item)
    this.#close(out, 1, itemEnd)
    const description = out.open(2)
    const descriptionEnd = letters.text(100, description)
    this.#close(out, 2, descriptionEnd)
    const initialBid = this.#price()
    out.integer(3, initialBid)
    out.integer(4, initialBid + this.#price())
    out.integer(5, time * 1000)
    out.integer(6, (time + this.#auctionLengthMs(event, time)) * 1000)
    const hot = random.below(hotSellerRatio) > 0
    const seller = hot ? people - (people % hotStride) : this.#anyPerson(people)
    out.integer(7, firstPersonId + seller)
    out.integer(8, firstCategoryId + random.below(categories))
    const size = 8 + (itemEnd - item) + (descriptionEnd - description) + 8 * 5
    this.#close(out, 9, this.#extra(size, this.options.auctionBytes, out.open(9)))
    out.rows++
  }

  #bid(event: number): void {
    const out = this.bid
    const random = this.#random
    const letters = this.#letters
    const auctions = lastAuction(event)
    const people = lastPerson(event)
    const hotAuction = random.below(hotAuctionRatio) > 0
    const onAuction = hotAuction ? auctions - (auctions % hotStride) : this.#anyAuction(auctions)
    out.integer(0, firstAuctionId + onAuction)
    const hotBidder = random.below(hotBidderRatio) > 0
    const bidder = hotBidder ? people - (people % hotStride) + 1 : this.#anyPerson(people)
    out.integer(1, firstPersonId + bidder)
    out.integer(2, this.#price())
    const hotChannel = random.below(2) > 0
    const channel = hotChannel ? random.below(hotChannels.length) : hotChannels.length + random.below(coldChannels)
    this.#close(out, 3, letters.channel(channel, out.open(3)))
    this.#close(out, 4, letters.url(channel, out.open(4)))
    out.integer(5, this.#timeMs(event) * 1000)
    this.#close(out, 6, this.#extra(32, this.options.bidBytes, out.open(6)))
    out.rows++
  }

  #timeMs(event: number): number {
    return eventTimeMs(event, this.options.rate)
  }

  /** Log-uniform from 100 to 100,000,000 (cents). */
  #price(): number {
    return Math.round(Math.exp(this.#random.fraction() * 6 * Math.LN10) * 100)
  }

  #anyPerson(last: number): number {
    const active = Math.min(last + 1, activePeople)
    return last + 1 - active + this.#random.below(active + idLead)
  }

  #anyAuction(last: number): number {
    const first = Math.max(last - inFlightAuctions, 0)
    return first + this.#random.below(last - first + 1 + idLead)
  }

  /** Auctions last so long that about `inFlightAuctions` are open at any time. */
  #auctionLengthMs(event: number, timeMs: number): number {
    const ahead = Math.floor((inFlightAuctions * allShares) / auctionShare)
    const horizon = this.#timeMs(event + ahead) - timeMs
    return 1 + this.#random.below(Math.max(horizon * 2, 1))
  }

  /** Fills an event of `size` bytes up to about the average wanted, ±20 %. */
  #extra(size: number, average: number, at: number): number {
    if (size > average) return at
    const missing = average - size
    const spread = Math.round(missing * 0.2)
    const length = missing - spread + (spread === 0 ? 0 : this.#random.below(2 * spread))
    return this.#letters.exact(length, at)
  }
}

function longestExtra(average: number): number {
  return Math.ceil(average * 1.2) + 8
}

/** Where event `arrival` stands when groups of `group` events arrive shuffled. */
function shuffled(arrival: number, group: number): number {
  const base = arrival - (arrival % group)
  return base + ((arrival * 953) % group)
}

function viewsOf(buffer: ArrayBuffer): MemoryViews {
  const words = buffer.byteLength >>> 3
  return {
    u8: new Uint8Array(buffer),
    i32: new Int32Array(buffer, 0, words * 2),
    u32: new Uint32Array(buffer, 0, words * 2),
    f64: new Float64Array(buffer, 0, words),
    i64: new BigInt64Array(buffer, 0, words),
  }
}
