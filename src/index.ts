import type { App } from './app/app.ts'
import type { DatabaseShape } from './app/database-shape.ts'
import { embed } from './database/embedded.ts'
import { Database } from './database.ts'
import { appDefinition } from './engine/definitions.ts'
import { nodeIo } from './io/node.ts'

export type { App } from './app/app.ts'
export { defineApp } from './app/app.ts'
export type { ColumnType } from './app/column-type.ts'
export { t } from './app/column-type.ts'
export type {
  AppendOptions,
  AppendReceipt,
  AsOf,
  Change,
  DatabaseShape,
  ErrorsOptions,
  EventPosition,
  GetOptions,
  ListedError,
  LiveOptions,
  LiveStep,
  SqlAnswer,
  SqlOptions,
  TableHandle,
  TopicEvent,
  TopicHandle,
  TopicPage,
  TopicReadOptions,
  ViewErrors,
  ViewHandle,
  ViewRows,
} from './app/database-shape.ts'
export type { InferInput, InferKey, InferRow, Query, SqlRows, Table, Topic, View } from './app/definitions.ts'
export { query, table, topic, view } from './app/definitions.ts'
export type { Sql } from './app/sql-text.ts'
export { sql } from './app/sql-text.ts'
export type { ErrorCode, ErrorDetail, ErrorPlace } from './data/errors.ts'
export { MillraceError } from './data/errors.ts'
export { version } from './data/version.ts'

export interface OpenOptions {
  /** Folder of the log; without it everything is kept in memory. */
  readonly data?: string
  /** Where the engine runs: `worker` (default), a thread of its own, or `inline`, the caller's. */
  readonly engine?: 'worker' | 'inline'
  /** The most memory the engine may use, in bytes; up to 4 GiB. */
  readonly memoryBytes?: number
}

/**
 * Opens a database in this process: no server beside it. Resolves once the views have caught up with the log.
 *
 *     await using db = await open(app, { data: './data' })
 *     const { tick } = await db.orders.append({ id: 'a', amount: 12 })
 *     await db.revenue.get({ minTick: tick })
 *
 * @throws MillraceError log/locked where another process has the folder open, schema/incompatible where a topic is
 * not what the log holds, sql/… for a definition that is refused
 */
export async function open<A extends App>(app: A, options: OpenOptions = {}): Promise<DatabaseShape<A>> {
  const database = await Database.open({
    io: nodeIo(),
    definition: appDefinition(app),
    data: options.data ?? null,
    ...(options.engine === undefined ? {} : { engine: options.engine }),
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
  })
  return embed(database, app)
}
