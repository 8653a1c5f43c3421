import { ownTopicsOf } from '../../src/cli/served-gateway.ts'
import { Database } from '../../src/database.ts'
import { type Definition, sqlDefinition, withOwnTopics } from '../../src/engine/definitions.ts'
import { nodeIo } from '../../src/io/node.ts'
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/listen.ts'

/** A small database behind a server on a free port. */
export interface Running {
  readonly database: Database
  readonly server: RunningServer
  readonly url: string
  stop(): Promise<void>
}

export const bidSql = `
CREATE TABLE bid (auction bigint NOT NULL, price numeric(20,2), channel text, at timestamp NOT NULL)
  WITH (event_time = 'at');
CREATE TABLE account (id bigint PRIMARY KEY, owner text, "limit" integer);
CREATE MATERIALIZED VIEW by_auction AS
  SELECT auction, count(*) AS bids, sum(price) AS total, max(channel) AS channel FROM bid GROUP BY auction;
CREATE MATERIALIZED VIEW owners AS SELECT id, owner, "limit" FROM account ORDER BY id DESC;
CREATE MATERIALIZED VIEW shares AS SELECT auction, 100 / auction AS share FROM bid;
`

export async function startRunning(
  options: ServerOptions = {},
  sql: string | Definition = bidSql,
  data: string | null = null,
  engine: 'inline' | 'worker' = 'inline',
): Promise<Running> {
  const database = await Database.open({
    io: nodeIo(),
    definition: withOwnTopics(typeof sql === 'string' ? sqlDefinition(sql) : sql, ownTopicsOf(options.gateway ?? null)),
    data,
    engine,
    memoryBytes: 64 * 1024 * 1024,
  })
  const server = await startServer(database, { port: 0, ...options })
  return {
    database,
    server,
    url: server.url,
    async stop() {
      await server.close()
      await database.close()
    },
  }
}

export function bidJson(auction: number | string, price = '1.50', at = '2026-11-21T10:00:00'): string {
  return `{"auction":${auction},"price":${price},"at":"${at}"}`
}
