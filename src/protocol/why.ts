/**
 * Bodies that explain: why a row says what it says, what became of an event, and where an event is. Values are JSON's:
 * bigint as a number while that is exact and as text beyond, numeric as text with all its digits, the others as in
 * rows of views.
 */

/** GET /v1/views/{view}/why */
export interface WhyBody {
  readonly tick: number
  readonly view: string
  readonly found: boolean
  readonly row: WhyRow | null
  /** How often the row is there. */
  readonly copies: number
  /** From the view's output down to events; of a row that is not there, as far down as something was found. */
  readonly step: StepBody | null
  readonly events: WhyEvents
  readonly absent?: AbsenceBody
}

export type WhyRow = Readonly<Record<string, unknown>>

/** The events that a row is made of. */
export interface WhyEvents {
  /** Exact, whatever is listed. Of a table's row, its last upsert counts. */
  readonly count: number
  readonly first: EventRef | null
  readonly last: EventRef | null
  /** In the order of the log, as many as were asked for. */
  readonly listed: readonly EventRef[]
  /** Events of the topics that it reads which retention has thrown away: they may have been part of it. */
  readonly gone: number
}

export interface EventRef {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The tick that made it visible. */
  readonly tick: number
  readonly op: 'append' | 'upsert' | 'delete'
  readonly appended_at: string
  /** Its columns; of a delete the key's. */
  readonly data: WhyRow
}

/** What one operator made of its inputs to put out one row. */
export interface StepBody {
  readonly op: StepOperator
  /** What it does, in the words of SQL: `sum(amount) by country`. */
  readonly label: string
  /** What happened here, in a sentence. */
  readonly detail?: string
  /** The row that it puts out; null where it puts out none. */
  readonly row: WhyRow | null
  readonly arithmetic?: readonly ArithmeticBody[]
  /** Whether the row met the condition. */
  readonly passed?: boolean
  readonly condition?: ConditionBody
  /** Of what it read: the rows that made this one. */
  readonly inputs: readonly StepBody[]
  /** Rows of the inputs that are not among `inputs`. */
  readonly more?: number
  /** Of a scan: the event. */
  readonly events?: readonly EventRef[]
}

export type StepOperator =
  | 'view'
  | 'scan'
  | 'values'
  | 'filter'
  | 'project'
  | 'window'
  | 'aggregate'
  | 'distinct'
  | 'join'
  | 'top'
  | 'union'
  | 'final'
  | 'temporal'

export interface ConditionBody {
  readonly text: string
  /** The columns that it reads, and what they are here. */
  readonly values: WhyRow
}

/** How a cell came about. */
export interface ArithmeticBody {
  readonly column: string
  /** Such as `sum(amount)` or `price * 2`. */
  readonly expression: string
  readonly value: unknown
  /** Of an aggregate: its first terms, or the one that decides. */
  readonly terms: readonly TermBody[]
  /** How many terms there are, listed or not. */
  readonly count: number
  /** Such as `12 + 5 + 3 = 20`. */
  readonly shown: string
}

export interface TermBody {
  readonly value: unknown
  readonly weight: number
  /** The event that the value comes from, where it is one. */
  readonly event?: EventRef
}

/** Why a row is not there. */
export interface AbsenceBody {
  /** A sentence or two. */
  readonly reason: string
  /** What came nearest, with the step at which it ended. */
  readonly nearest: StepBody | null
}

/** GET /v1/topics/{topic}/events/{offset}/journey */
export interface JourneyBody {
  readonly event: EventRef
  readonly times: JourneyTimes
  readonly steps: readonly JourneyStepBody[]
  readonly changes: readonly JourneyChangeBody[]
  /**
   * Views that hold events which retention has thrown away: their rows before and after are not told, and what steps
   * count on the way there is counted over what is left of the log.
   */
  readonly beyond?: readonly string[]
}

export interface JourneyTimes {
  readonly appended_at: string
  readonly tick: number
  /** The tick's time. */
  readonly sealed_at: string
  /** When reads saw the tick, and when the first live stream was sent a change of it: while this process knows. */
  readonly visible_at?: string
  readonly pushed_at?: string
}

/**
 * `superseded`: it took the place of a table's row; `held`: it waits for a window to close; `nothing changed`: all that
 * follows is as it was.
 */
export type JourneyOutcome =
  | 'passed'
  | 'filtered'
  | 'late'
  | 'no match yet'
  | 'error'
  | 'superseded'
  | 'aggregated'
  | 'held'
  | 'nothing changed'

export interface JourneyStepBody {
  /** The operator, as the topology names it. */
  readonly node: string
  readonly views: readonly string[]
  readonly op: StepOperator
  readonly label: string
  readonly outcome: JourneyOutcome
  /** Such as `late by 12 s` or `price > 1000 is false: price = 12`. */
  readonly detail: string
  /** The first of the rows that it changed behind it: +n more, −n less. */
  readonly rows_out: readonly { readonly row: WhyRow; readonly weight: number }[]
}

/** A row of a view before the event, and with it. */
export interface JourneyChangeBody {
  readonly view: string
  /** Columns that tell the view's rows apart. */
  readonly key: WhyRow
  readonly before: WhyRow | null
  readonly after: WhyRow | null
  readonly tick: number
}

/** GET /v1/topics/{topic}/find */
export interface FindBody {
  /** The newest first. */
  readonly events: readonly EventRef[]
  /** Events that were looked at. */
  readonly searched: number
  /** Older ones were not looked at, or not listed. */
  readonly more: boolean
}
