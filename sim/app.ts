// The app that every simulation runs: small, but with each kind of state that the engine has.

export const latenessMs = 5_000
export const windowMs = 10_000
export const recentMs = 20_000

/** What stays of a topic in any case, as its `retention` says it; null: everything. */
export interface Retention {
  readonly bid: string | null
  readonly account: string | null
}

export const keepAll: Retention = { bid: null, account: null }

function topicsSql({ bid, account }: Retention): string {
  return `
CREATE TABLE bid (
  id bigint NOT NULL, account bigint NOT NULL, item int NOT NULL, price bigint NOT NULL, at timestamp NOT NULL
) WITH (event_time = 'at', lateness = '5 seconds'${bid === null ? '' : `, retention = '${bid}'`});
CREATE TABLE account (id bigint PRIMARY KEY, owner text, balance numeric(12,2), rev bigint)${
    account === null ? '' : ` WITH (retention = '${account}')`
  };
`
}

const windowed = "FROM tumble(bid, at, interval '10 seconds') GROUP BY window_start, window_end, item"

/** Every view with its query. */
export const queries = {
  big: 'SELECT id, account, price * 2 AS doubled FROM bid WHERE price > 50',
  per_item: 'SELECT item, count(*) AS n, sum(price) AS total, max(price) AS top FROM bid GROUP BY item',
  rich_items: 'SELECT item, total FROM per_item WHERE total > 150',
  owned: 'SELECT b.id, b.price, a.owner, a.balance FROM bid b JOIN account a ON a.id = b.account',
  per_owner: 'SELECT owner, count(*) AS n, sum(balance) AS total, max(balance) AS top FROM account GROUP BY owner',
  best: `SELECT item, id, price FROM (
    SELECT item, id, price, row_number() OVER (PARTITION BY item ORDER BY price DESC, id) AS place FROM bid
  ) ranked WHERE place <= 3`,
  richest: `SELECT owner, id, balance FROM (
    SELECT owner, id, balance, row_number() OVER (PARTITION BY owner ORDER BY balance DESC, id) AS place FROM account
  ) ranked WHERE place <= 2`,
  per_window: `SELECT window_start, item, count(*) AS n, sum(price) AS total ${windowed}`,
  per_window_final: `SELECT window_start, item, count(*) AS n, sum(price) AS total ${windowed}`,
  late: 'SELECT topic, _offset AS place FROM _late',
  recent: "SELECT id, price FROM bid WHERE at > now() - interval '20 seconds'",
  parts: 'SELECT id, 1000 / (price % 10) AS part FROM bid',
} as const

export type ViewName = keyof typeof queries

export const viewNames = Object.keys(queries) as readonly ViewName[]

/** The app with some of its views. */
export function appSql(views: readonly ViewName[], retention: Retention): string {
  const statements = views.map((name) => {
    const options = name === 'per_window_final' ? " WITH (emit = 'final')" : ''
    return `CREATE MATERIALIZED VIEW ${name}${options} AS ${queries[name]};`
  })
  return topicsSql(retention) + statements.join('\n')
}

/** A view that the app may get beside others: one over another view where it can be. */
export function addedTo(views: readonly ViewName[], choice: number): ViewName | undefined {
  const possible = viewNames.filter((name) => !views.includes(name) && name !== 'rich_items')
  const over = views.includes('per_item') && !views.includes('rich_items') && choice % 3 > 0
  return over ? 'rich_items' : possible[choice % possible.length]
}
