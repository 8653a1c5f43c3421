import { type App, checkApp } from './app/app.ts'
import type { DatabaseShape } from './app/database-shape.ts'
import { embed } from './database/embedded.ts'
import { Database } from './database.ts'
import { appDefinition } from './engine/definitions.ts'
import { nodeIo } from './io/node.ts'

export type { App } from './app/app.ts'
export { defineApp } from './app/app.ts'
export type { Direction, DirectionOptions, Ordering } from './app/builder/direction.ts'
export { asc, desc, rowNumber } from './app/builder/direction.ts'
export type { From, Grouped } from './app/builder/from.ts'
export { from } from './app/builder/from.ts'
export type { Relation, SystemColumns, Windows } from './app/builder/relation.ts'
export { system } from './app/builder/relation.ts'
export type { Selected, TopOptions } from './app/builder/select.ts'
export { exists, inQuery, scalar } from './app/builder/subquery.ts'
export type { Window } from './app/builder/window.ts'
export { hop, session, tumble } from './app/builder/window.ts'
export type { Chart, ChartMark, ChartOptions } from './app/chart.ts'
export { chart } from './app/chart.ts'
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
  FindOptions,
  GetOptions,
  ListedError,
  LiveOptions,
  LiveSqlStep,
  LiveStep,
  SqlAnswer,
  SqlHandle,
  SqlLiveOptions,
  SqlOptions,
  TableHandle,
  TopicEvent,
  TopicHandle,
  TopicLiveOptions,
  TopicPage,
  TopicReadOptions,
  TopicStep,
  ViewErrors,
  ViewHandle,
  ViewRows,
  WhyOptions,
} from './app/database-shape.ts'
export type { InferInput, InferKey, InferRow, Query, SqlRows, Table, Topic, View } from './app/definitions.ts'
export { query, table, topic, view } from './app/definitions.ts'
export type { Condition, Expr, Problem } from './app/expression.ts'
export type { Aggregate, DistinctOption } from './app/functions/aggregates.ts'
export { avg, boolAnd, boolOr, count, countDistinct, max, min, sum } from './app/functions/aggregates.ts'
export {
  abs,
  acos,
  add,
  asin,
  atan,
  atan2,
  bitAnd,
  bitNot,
  bitOr,
  bitXor,
  cbrt,
  ceil,
  cos,
  degrees,
  div,
  exp,
  floor,
  gcd,
  lcm,
  ln,
  log,
  log10,
  mod,
  mul,
  neg,
  pi,
  power,
  quotient,
  radians,
  round,
  shiftLeft,
  shiftRight,
  sign,
  sin,
  sqrt,
  sub,
  tan,
  toHex,
  trunc,
} from './app/functions/arithmetic.ts'
export type { Case } from './app/functions/choice.ts'
export { caseWhen, cast, coalesce, greatest, least, literal, nullif } from './app/functions/choice.ts'
export {
  and,
  between,
  eq,
  gt,
  gte,
  inList,
  isDistinctFrom,
  isFalse,
  isNotDistinctFrom,
  isNotNull,
  isNull,
  isTrue,
  isUnknown,
  lt,
  lte,
  ne,
  not,
  or,
} from './app/functions/comparison.ts'
export type { TimeField, TruncUnit } from './app/functions/datetime.ts'
export {
  age,
  atUtc,
  dateBin,
  datePart,
  dateTrunc,
  extract,
  interval,
  isFiniteTime,
  justifyDays,
  justifyHours,
  justifyInterval,
  makeDate,
  makeTime,
  makeTimestamp,
  now,
  toChar,
  toTimestamp,
} from './app/functions/datetime.ts'
export {
  containedBy,
  contains,
  field,
  fieldAt,
  fieldText,
  fieldTextAt,
  hasKey,
  jsonArrayLength,
  jsonConcat,
  jsonTypeof,
  stripNulls,
  without,
} from './app/functions/json.ts'
export type { LikeOptions } from './app/functions/text.ts'
export {
  ascii,
  bitLength,
  cat,
  charLength,
  chr,
  concat,
  concatWs,
  decode,
  encode,
  ilike,
  initcap,
  left,
  length,
  like,
  lower,
  lpad,
  ltrim,
  matches,
  md5,
  notIlike,
  notLike,
  octetLength,
  overlay,
  position,
  regexpCount,
  regexpReplace,
  regexpSubstr,
  repeat,
  replace,
  reverse,
  right,
  rpad,
  rtrim,
  splitPart,
  startsWith,
  substring,
  translate,
  trim,
  upper,
} from './app/functions/text.ts'
export type {
  AuthOptions,
  EnvironmentValue,
  Gateway,
  GatewayOptions,
  JwtOptions,
  Mask,
  Policy,
  PolicyOptions,
  Rate,
  Role,
} from './app/gateway.ts'
export { claim, defineGateway, env, policy } from './app/gateway.ts'
export type {
  AggregateOptions,
  AggregateRoute,
  GatewayRoute,
  Part,
  RouteMethod,
  RouteNeeds,
  RouteOptions,
  UpstreamOptions,
  UpstreamRoute,
  ViewPart,
} from './app/gateway-routes.ts'
export { aggregate, route } from './app/gateway-routes.ts'
export type { Kind } from './app/kinds.ts'
export type { Callable, FunctionTypes, ScalarFunction } from './app/scalar-function.ts'
export { fn } from './app/scalar-function.ts'
export type { Sql } from './app/sql-text.ts'
export { sql } from './app/sql-text.ts'
export type { ErrorCode, ErrorDetail, ErrorPlace } from './data/errors.ts'
export { MillraceError } from './data/errors.ts'
export { version } from './data/version.ts'
export type {
  AbsenceBody,
  ArithmeticBody,
  EventRef,
  FindBody,
  JourneyBody,
  JourneyChangeBody,
  JourneyStepBody,
  StepBody,
  WhyBody,
  WhyEvents,
} from './protocol/why.ts'

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
 * @throws MillraceError app/load for what is no app, log/locked where another process has the folder open, schema/incompatible where a topic is
 * not what the log holds, sql/… for a definition that is refused
 */
export async function open<A extends App>(app: A, options: OpenOptions = {}): Promise<DatabaseShape<A>> {
  checkApp(app)
  const database = await Database.open({
    io: nodeIo(),
    definition: appDefinition(app),
    data: options.data ?? null,
    ...(options.engine === undefined ? {} : { engine: options.engine }),
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
  })
  return embed(database, app)
}
