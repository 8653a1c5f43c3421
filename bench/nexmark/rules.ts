/**
 * The benchmark's rules, in the configuration that Apache Beam and nexmark-flink run by default. Of every 50 events
 * the first is a person, the next 3 are auctions, the other 46 bids.
 */
export interface NexmarkOptions {
  readonly seed: number
  /** Events a second of event time. */
  readonly rate: number
  /** Events in groups of so many arrive out of order within their group; 1: in order. */
  readonly outOfOrderGroup: number
  /** Average bytes of an event, as the rules count them; `extra` fills them up. */
  readonly personBytes: number
  readonly auctionBytes: number
  readonly bidBytes: number
  /** Without: texts are empty, but for what queries select by (name, city and state). Numbers stay the same. */
  readonly texts: boolean
}

export const defaultOptions: NexmarkOptions = {
  seed: 1,
  rate: 10_000,
  outOfOrderGroup: 1,
  personBytes: 200,
  auctionBytes: 500,
  bidBytes: 100,
  texts: true,
}

export const personShare = 1
export const auctionShare = 3
export const bidShare = 46
export const allShares = personShare + auctionShare + bidShare

export const firstPersonId = 1000
export const firstAuctionId = 1000
export const firstCategoryId = 10
export const categories = 5

/** One in so many bids is *not* on the hot auction, and the hot auction changes every `hotStride` auctions. */
export const hotAuctionRatio = 2
export const hotBidderRatio = 4
export const hotSellerRatio = 4
export const hotStride = 100

export const inFlightAuctions = 100
export const activePeople = 1000
/** Events may name people and auctions that come so much later. */
export const idLead = 10

export const hotChannels = ['Google', 'Facebook', 'Baidu', 'Apple']
export const coldChannels = 10_000

/** 2015-07-15T00:00:00Z, in milliseconds. */
export const baseTimeMs = 1_436_918_400_000

export const firstNames = 'Peter Paul Luke John Saul Vicky Kate Julie Sarah Deiter Walter'.split(' ')
export const lastNames = 'Shultz Abrams Spencer White Bartels Walton Smith Jones Noris'.split(' ')
export const cities = 'Phoenix,Los Angeles,San Francisco,Boise,Portland,Bend,Redmond,Seattle,Kent,Cheyenne'.split(',')
export const states = 'AZ CA ID OR WA WY'.split(' ')

/** The newest person, counted from 0, when event `event` comes. */
export function lastPerson(event: number): number {
  const round = Math.floor(event / allShares)
  return round * personShare + Math.min(event - round * allShares, personShare - 1)
}

/** The newest auction, counted from 0, when event `event` comes; -1 before the first. */
export function lastAuction(event: number): number {
  const round = Math.floor(event / allShares)
  const place = event - round * allShares
  if (place < personShare) return round * auctionShare - 1
  return round * auctionShare + Math.min(place - personShare, auctionShare - 1)
}

export function eventTimeMs(event: number, rate: number): number {
  return baseTimeMs + Math.floor((event * 1000) / rate)
}
