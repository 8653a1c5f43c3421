// What is put to the test, behind an interface: the law's runner knows nothing of how it computes.
import type { CaseEvent } from './case-file.ts'

export interface ColumnName {
  readonly name: string
  /** As PostgreSQL's format_type prints it, without a type modifier. */
  readonly type: string
}

export interface ViewState {
  readonly columns: readonly ColumnName[]
  /** One array per row, as often as the row is there; cells as PostgreSQL prints them. */
  readonly rows: readonly (readonly (string | null)[])[]
  readonly errors: number
}

/** Materialized views by name, in lower case. */
export type ViewStates = ReadonlyMap<string, ViewState>

/**
 * What is done with all state between ticks: destroyed and found again by a new engine; captured in slices while
 * ticks go on, and compared; captured and forgotten, found again in memory or on a disk.
 */
export type StateMode = 'reopen' | 'incremental' | 'spill' | 'disk'

/**
 * The same, or a whole database: `trimmed`, whose past is thrown away in the middle, and which starts from the base;
 * `live`, whose views are followed as live queries.
 */
export type Mode = StateMode | 'trimmed' | 'live'

export interface SubjectOptions {
  readonly state?: Mode
  /** Several keys share a bucket of state. */
  readonly weakHash?: boolean
  /** Run the plan as it was bound, without the optimiser's rewriting; it must change nothing. */
  readonly plain?: boolean
}

export interface Subject {
  /**
   * Runs a definition over ticks and yields all views after each, and at last with all windows closed.
   * @throws MillraceError where it refuses the definition or an event
   */
  run(definition: string, ticks: readonly (readonly CaseEvent[])[], options: SubjectOptions): AsyncIterable<ViewStates>
}
