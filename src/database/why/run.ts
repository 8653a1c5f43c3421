import { invariant } from '../../data/errors.ts'
import type { SqlType } from '../../data/sql-type.ts'
import { cellText } from '../../data/text-print.ts'
import { caseOf } from '../../expr/resolve.ts'
import type { Scalar } from '../../expr/scalar.ts'
import { Catalog } from '../../plan/catalog.ts'
import { failingColumns, type MayFail, mayFailIn } from '../../plan/failure.ts'
import { columnOf, map, topN } from '../../plan/nodes.ts'
import { optimise } from '../../plan/optimise.ts'
import type { Plan } from '../../plan/plan.ts'
import type { Program } from '../../plan/program.ts'
import type { CellText } from '../../plan/why-words.ts'
import { type AdHocOptions, type AdHocSource, runTogether } from '../../views/ad-hoc.ts'

/** A row of an answer: its cells as PostgreSQL prints them, NULL as null, as often as it is there. */
export interface FoundRow {
  readonly cells: readonly CellText[]
  readonly weight: number
}

/** More rows than any question here asks for. */
const mostRows = 100_000

interface Question {
  readonly plan: Plan
  resolve(rows: readonly FoundRow[]): void
  reject(error: unknown): void
}

/**
 * Questions about one moment of the log, each a plan. Those that are asked in the same turn are answered by one run,
 * so that an explanation reads the log about as often as its plan has aggregates upon aggregates.
 */
export class WhyRun {
  readonly source: AdHocSource
  readonly program: Program
  readonly #options: AdHocOptions
  readonly #mayFail: MayFail
  #waiting: Question[] = []

  constructor(source: AdHocSource, options: AdHocOptions) {
    this.source = source
    this.program = source.program
    this.#options = { ...options, maxRows: mostRows, besideErrors: true }
    this.#mayFail = mayFailIn(Catalog.of(source.program))
  }

  /** The rows of a plan that goes through no view; those that can't be computed are left out. */
  rows(plan: Plan): Promise<readonly FoundRow[]> {
    const optimised = optimise(this.#whole(plan), this.#mayFail)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ plan: optimised, resolve, reject })
      // Whoever asks before it is this one's turn is part of the same run.
      if (this.#waiting.length === 1) this.source.io.clock.after(0, () => void this.#run())
    })
  }

  /** The first rows in the order of some columns. */
  first(plan: Plan, limit: number, by: readonly number[] = []): Promise<readonly FoundRow[]> {
    const order = by.map((column) => ({ column, descending: false, nullsFirst: false }))
    return this.rows(topN(plan, [], order, limit, 0, false))
  }

  async #run(): Promise<void> {
    const questions = this.#waiting
    this.#waiting = []
    try {
      const queries = questions.map(({ plan }) => ({ plan, order: [] }))
      const answers = await runTogether(this.source, queries, this.#options)
      answers.forEach((rows, i) => {
        const { plan, resolve } = questions[i]
        const found: FoundRow[] = []
        rows.forEach((page, row, weight) => {
          invariant(weight > 0, 'an explanation found a row that is not there')
          found.push({
            cells: plan.columns.map(({ type }, c) => cellText(page.memory, page.columns[c], row, type)),
            weight,
          })
        })
        resolve(found)
      })
    } catch (error) {
      for (const { reject } of questions) reject(error)
    }
  }

  /** A cell on the way that can't be computed harms nobody who doesn't read it: it is shown as NULL. */
  #whole(plan: Plan): Plan {
    const failing = failingColumns(plan, this.#mayFail)
    if (!failing.includes(true)) return plan
    const outputs = plan.columns.map((_, i) => (failing[i] ? valueOrNull(columnOf(plan, i)) : columnOf(plan, i)))
    return map(
      plan,
      null,
      outputs,
      plan.columns.map(({ name }) => name),
    )
  }
}

const integer: SqlType = { kind: 'integer' }
const boolean: SqlType = { kind: 'boolean' }

/** The least error among cells, 0 if there is none: never an error itself. */
export function errorCode(args: readonly Scalar[]): Scalar {
  return { op: 'call', fn: '$error()', args, type: integer, nullable: false }
}

function valueOrNull(cell: Scalar): Scalar {
  const code = errorCode([cell])
  const zero: Scalar = { op: 'literal', text: '0', type: integer, nullable: false }
  const fails: Scalar = { op: 'distinct', left: code, right: zero, negated: false, type: boolean, nullable: false }
  const nothing: Scalar = { op: 'literal', text: null, type: cell.type, nullable: true }
  return caseOf([{ when: fails, result: nothing }], cell)
}
