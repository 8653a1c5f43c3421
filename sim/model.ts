// What the app's views must be, said once more in plain TypeScript: slow, simple, and knowing nothing of the engine.
import { latenessMs, recentMs, type ViewName, windowMs } from './app.ts'

export interface Bid {
  readonly topic: 'bid'
  readonly id: number
  readonly account: number
  readonly item: number
  readonly price: number
  /** Milliseconds since 1970. */
  readonly atMs: number
}

export interface Upsert {
  readonly topic: 'account'
  readonly op: 'upsert'
  readonly id: number
  readonly owner: string | null
  readonly cents: number
  readonly rev: number
}

export interface Delete {
  readonly topic: 'account'
  readonly op: 'delete'
  readonly id: number
}

export type Event = Bid | Upsert | Delete

/** A row as text: cells as PostgreSQL prints them. */
export type Row = readonly (string | null)[]

export function timestampText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '').replace(/0+$/, '').replace(/\.$/, '')
}

export function moneyText(cents: number): string {
  const digits = String(Math.abs(cents)).padStart(3, '0')
  return `${cents < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

const texted = new WeakMap<Event, string>()

/** An event as its columns' texts, behind topic and operation. */
export function eventText(event: Event): string {
  const known = texted.get(event)
  if (known !== undefined) return known
  const text = makeText(event)
  texted.set(event, text)
  return text
}

function makeText(event: Event): string {
  if (event.topic === 'bid') {
    const { id, account, item, price, atMs } = event
    return JSON.stringify(['bid', `${id}`, `${account}`, `${item}`, `${price}`, timestampText(atMs)])
  }
  if (event.op === 'delete') return JSON.stringify(['account-', `${event.id}`])
  return JSON.stringify(['account', `${event.id}`, event.owner, moneyText(event.cents), `${event.rev}`])
}

/** Rows in an order that does not depend on where they come from. */
export function sortedTexts(rows: Iterable<Row>): string[] {
  return Array.from(rows, (row) => JSON.stringify(row)).sort()
}

export class Model {
  /** Bids up to and with this tick are not there for its views: they only say what comes late. */
  readonly #start: number
  #bidCount = 0
  readonly #bids: Bid[] = []
  readonly #onTime: Bid[] = []
  readonly #late: number[] = []
  readonly #accounts = new Map<number, Upsert>()
  #watermarkMs = Number.NEGATIVE_INFINITY

  /** @param start the tick up to which bids were gone when its views were defined; 0: none were */
  constructor(start = 0) {
    this.#start = start
  }

  apply(event: Event, tick: number): void {
    if (event.topic === 'account') {
      if (event.op === 'delete') this.#accounts.delete(event.id)
      else this.#accounts.set(event.id, event)
      return
    }
    if (tick > this.#start) {
      if (event.atMs < this.#watermarkMs) this.#late.push(this.#bidCount)
      else this.#onTime.push(event)
      this.#bids.push(event)
    }
    this.#bidCount++
    this.#watermarkMs = Math.max(this.#watermarkMs, event.atMs - latenessMs)
  }

  /** How many error rows stand beside a view's rows. */
  errors(view: ViewName): number {
    return view === 'parts' ? this.#bids.filter(({ price }) => price % 10 === 0).length : 0
  }

  /** @param nowMicros the tick's time */
  rows(view: ViewName, nowMicros: bigint): Row[] {
    const bids = this.#bids
    switch (view) {
      case 'big':
        return bids.filter(({ price }) => price > 50).map(({ id, account, price }) => texts(id, account, price * 2))
      case 'per_item':
        return this.#items().map(({ item, prices }) => texts(item, prices.length, sum(prices), Math.max(...prices)))
      case 'rich_items':
        return this.#items()
          .filter(({ prices }) => sum(prices) > 150)
          .map(({ item, prices }) => texts(item, sum(prices)))
      case 'owned':
        return bids.flatMap(({ id, price, account }) => {
          const found = this.#accounts.get(account)
          return found === undefined ? [] : [[`${id}`, `${price}`, found.owner, moneyText(found.cents)]]
        })
      case 'per_owner':
        return [...grouped(this.#accounts.values(), ({ owner }) => owner)].map(([owner, all]) => {
          const cents = all.map((account) => account.cents)
          return [owner, `${all.length}`, moneyText(sum(cents)), moneyText(Math.max(...cents))]
        })
      case 'best':
        return [...grouped(bids, ({ item }) => item).values()].flatMap((all) =>
          first(all, 3, (bid) => bid.price).map(({ item, id, price }) => texts(item, id, price)),
        )
      case 'richest':
        return [...grouped(this.#accounts.values(), ({ owner }) => owner).values()].flatMap((all) =>
          first(all, 2, (account) => account.cents).map(({ owner, id, cents }) => [owner, `${id}`, moneyText(cents)]),
        )
      case 'per_window':
        return windowRows(bids, Number.POSITIVE_INFINITY)
      case 'per_window_final':
        return windowRows(this.#onTime, this.#watermarkMs)
      case 'late':
        return this.#late.map((offset) => ['bid', `${offset}`])
      case 'recent': {
        const after = nowMicros - BigInt(recentMs * 1000)
        return bids.filter(({ atMs }) => BigInt(atMs * 1000) > after).map(({ id, price }) => texts(id, price))
      }
      case 'parts':
        return bids
          .filter(({ price }) => price % 10 !== 0)
          .map(({ id, price }) => texts(id, Math.floor(1000 / (price % 10))))
    }
  }

  #items(): { readonly item: number; readonly prices: number[] }[] {
    const groups = grouped(this.#bids, ({ item }) => item)
    return [...groups].map(([item, bids]) => ({ item, prices: bids.map(({ price }) => price) }))
  }
}

function texts(...cells: readonly number[]): Row {
  return cells.map(String)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}

function grouped<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}

function first<T extends { readonly id: number }>(items: readonly T[], count: number, by: (item: T) => number): T[] {
  return [...items].sort((a, b) => by(b) - by(a) || a.id - b.id).slice(0, count)
}

function windowRows(bids: readonly Bid[], closedMs: number): Row[] {
  const rows: Row[] = []
  for (const [start, inWindow] of grouped(bids, ({ atMs }) => Math.floor(atMs / windowMs) * windowMs)) {
    if (start + windowMs > closedMs) continue
    for (const [item, all] of grouped(inWindow, (bid) => bid.item)) {
      const total = sum(all.map(({ price }) => price))
      rows.push([timestampText(start), `${item}`, `${all.length}`, `${total}`])
    }
  }
  return rows
}
