import type { Problem } from './problem.ts'

/** Bodies about queries before they are run or kept, and about the project that keeps them. */

/** POST /v1/explain: how a SELECT would be computed. */
export interface ExplainBody {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** The plan, a node a line, what it reads indented below it. */
  readonly text: string
  /** The same lines, with how deep they lie. */
  readonly nodes: readonly { readonly depth: number; readonly text: string }[]
}

/** POST /v1/project/views: a query as a view of the project that `millrace dev` runs. */
export interface SavedViewBody {
  /** The file, relative to the project's folder. */
  readonly file: string
  /** What is written into it, or would be. */
  readonly text: string
  /** All definitions with the view among them, in SQL: for POST /v1/diff. */
  readonly definition: string
  readonly written: boolean
  /** What is left to do by hand. */
  readonly note?: string
}

/** GET /v1/project: the app that a server is developed with. */
export interface ProjectBody {
  /** Its file; null for a server that has no project. */
  readonly file: string | null
  /** Why what was saved last doesn't run; what ran before goes on. Null: it runs. */
  readonly problem: Problem | null
}
