/** The app of the kill test, and its views computed anew from the events, the plain way. */

export const auctionSql = `
CREATE TABLE bid (
  ref text NOT NULL, auction bigint NOT NULL, bidder bigint NOT NULL, price numeric(12,2) NOT NULL, at timestamp NOT NULL
) WITH (event_time = 'at', lateness = '5 seconds');
CREATE TABLE account (id bigint PRIMARY KEY, owner text, ref text);
CREATE MATERIALIZED VIEW totals AS
  SELECT auction, count(*) AS bids, sum(price) AS total, max(ref) AS last FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW by_window AS
  SELECT window_start, count(*) AS bids FROM tumble(bid, at, interval '10 seconds') GROUP BY window_start;
CREATE MATERIALIZED VIEW by_owner AS
  SELECT a.owner, count(*) AS bids, sum(b.price) AS total FROM bid b JOIN account a ON a.id = b.bidder GROUP BY a.owner;
CREATE MATERIALIZED VIEW best AS
  SELECT auction, place, ref, price FROM (
    SELECT auction, ref, price, row_number() OVER (PARTITION BY auction ORDER BY price DESC, ref) AS place FROM bid
  ) AS ranked WHERE place <= 3;
CREATE MATERIALIZED VIEW accounts AS SELECT id, owner, ref FROM account;
`

export interface LoggedEvent {
  readonly offset: number
  readonly tick: number
  readonly op: 'append' | 'upsert' | 'delete'
  /** bigint and numeric as strings. */
  readonly data: Readonly<Record<string, string | null>>
}

export interface Events {
  readonly bid: readonly LoggedEvent[]
  readonly account: readonly LoggedEvent[]
}

export const viewNames = ['totals', 'by_window', 'by_owner', 'best', 'accounts'] as const
export type ViewName = (typeof viewNames)[number]

interface Sum {
  bids: number
  cents: bigint
}

/** Takes events in the order of their ticks; at any tick, what the views must be. */
export class Auction {
  readonly #totals = new Map<string, Sum & { last: string }>()
  readonly #windows = new Map<string, number>()
  readonly #bidders = new Map<string, Sum>()
  readonly #best = new Map<string, { readonly ref: string; readonly cents: bigint }[]>()
  readonly #accounts = new Map<string, LoggedEvent['data']>()

  bid({ data }: LoggedEvent): void {
    const { ref, auction, bidder, price, at } = data as Record<string, string>
    const cents = BigInt(price.replace('.', ''))
    const total = this.#totals.get(auction) ?? { bids: 0, cents: 0n, last: '' }
    add(total, cents)
    if (ref > total.last) total.last = ref
    this.#totals.set(auction, total)
    const window = `${at.slice(0, 18)}0`
    this.#windows.set(window, (this.#windows.get(window) ?? 0) + 1)
    const sum = this.#bidders.get(bidder) ?? { bids: 0, cents: 0n }
    add(sum, cents)
    this.#bidders.set(bidder, sum)
    const best = this.#best.get(auction) ?? []
    best.push({ ref, cents })
    best.sort((a, b) => (a.cents === b.cents ? (a.ref < b.ref ? -1 : 1) : a.cents > b.cents ? -1 : 1))
    this.#best.set(auction, best.slice(0, 3))
  }

  account({ op, data }: LoggedEvent): void {
    if (op === 'delete') this.#accounts.delete(data.id!)
    else this.#accounts.set(data.id!, data)
  }

  rows(view: ViewName): string[] {
    return canonical([...this.#rows(view)])
  }

  *#rows(view: ViewName): Generator<Record<string, unknown>> {
    switch (view) {
      case 'totals':
        for (const [auction, { bids, cents, last }] of this.#totals) {
          yield { auction, bids: String(bids), total: decimal(cents), last }
        }
        return
      case 'by_window':
        for (const [window_start, bids] of this.#windows) yield { window_start, bids: String(bids) }
        return
      case 'by_owner':
        yield* this.#byOwner()
        return
      case 'best':
        for (const [auction, best] of this.#best) {
          for (const [i, { ref, cents }] of best.entries()) {
            yield { auction, place: String(i + 1), ref, price: decimal(cents) }
          }
        }
        return
      case 'accounts':
        for (const { id, owner, ref } of this.#accounts.values()) yield { id, owner, ref }
    }
  }

  *#byOwner(): Generator<Record<string, unknown>> {
    const owners = new Map<string | null, Sum>()
    for (const { id, owner } of this.#accounts.values()) {
      const bids = this.#bidders.get(id!)
      if (bids === undefined) continue
      const sum = owners.get(owner) ?? { bids: 0, cents: 0n }
      sum.bids += bids.bids
      sum.cents += bids.cents
      owners.set(owner, sum)
    }
    for (const [owner, { bids, cents }] of owners) yield { owner, bids: String(bids), total: decimal(cents) }
  }
}

function add(sum: Sum, cents: bigint): void {
  sum.bids++
  sum.cents += cents
}

function decimal(cents: bigint): string {
  const digits = String(cents).padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** Rows in an order of their own, so that they can be compared. */
export function canonical(rows: readonly object[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}
