import { MillraceError } from '../data/errors.ts'
import type { Comparison, Counted, Difference } from '../database.ts'
import { sqlDefinition } from '../engine/definitions.ts'
import type { Clock } from '../io/io.ts'
import type { DiffViewBody } from '../protocol/answers.ts'
import { type ApiAnswer, type ApiRequest, jsonType, piecedAnswer } from './exchange.ts'
import { isCount, isText, readJsonBody } from './json-body.ts'
import type { Limits } from './limits.ts'
import { Parameters } from './parameters.ts'
import { orAborted, type QueryServer } from './query-server.ts'
import { rowsJson } from './rows-json.ts'
import { numberForms } from './view-read.ts'

type Numbers = (typeof numberForms)[number]

/** Differing rows listed per view unless told otherwise. */
const usualRows = 20

/**
 * POST /v1/diff: `{"definition", "rows"}`, answered by what each view would become.
 *
 * Building the changed views takes the engine's memory once more and reads the whole log: so only who is on this machine
 * may ask, one at a time, and not for long.
 */
export async function diff(server: QueryServer, request: ApiRequest, query: string): Promise<ApiAnswer> {
  const parameters = new Parameters(query)
  const numbers = parameters.choice('numbers', numberForms) ?? 'exact'
  parameters.end()
  if (!request.local) {
    const what = 'only a caller on the server’s own machine may have definitions compared'
    throw new MillraceError('diff/refused', what, { hint: 'run `millrace diff` there' })
  }
  const { clock, limits } = server
  const { definition, rows } = await readRequest(request, limits)
  const made = await compared(server, request.signal, definition, rows)
  return piecedAnswer(
    200,
    { 'content-type': jsonType, 'cache-control': 'no-store', 'millrace-tick': String(made.tick) },
    comparisonJson(clock, made, numbers),
  )
}

/** Who waits is told at once when the time is over; the next may ask once nothing of it is left. */
async function compared(
  { database, clock, limits, queries }: QueryServer,
  asked: AbortSignal,
  definition: string,
  rows: number,
): Promise<Comparison> {
  const leave = queries.enter()
  const timeout = new AbortController()
  const cancel = clock.after(limits.diffMs, () => timeout.abort(tooLong(limits)))
  const signal = AbortSignal.any([asked, timeout.signal])
  const work = database.diff(sqlDefinition(definition), { rows, signal }).finally(() => {
    cancel()
    leave()
  })
  return orAborted(work, signal)
}

function tooLong({ diffMs }: Limits): MillraceError {
  const what = `comparing the definitions took longer than the ${diffMs} ms that it may take`
  return new MillraceError('request/timeout', what, {
    hint: 'run both apps over a backup with `millrace run`, and compare what they print',
  })
}

async function* comparisonJson(
  clock: Clock,
  { tick, views }: Comparison,
  numbers: Numbers,
): AsyncGenerator<Uint8Array> {
  const text = new TextEncoder()
  yield text.encode(`{"tick":${tick},"views":[`)
  for (const [i, view] of views.entries()) {
    const head = `${i === 0 ? '' : ','}${JSON.stringify(bodyOf(view)).slice(0, -1)}`
    if (view.changes === null) yield text.encode(`${head}}`)
    else yield* rowsJson(clock, `${head},"changes":[`, view.changes.rows, 'changes', ']}', { numbers })
  }
  yield text.encode(']}\n')
}

function bodyOf({ view, kind, before, after, changes }: Difference): DiffViewBody {
  const sides = (count: (side: Counted) => number) => ({
    before: before === null ? null : count(before),
    after: after === null ? null : count(after),
  })
  const body = { view, kind, rows: sides(({ rows }) => rows), errors: sides(({ errors }) => errors) }
  return changes === null ? body : { ...body, added: changes.added, removed: changes.removed }
}

/** @throws MillraceError request/malformed, request/parameter */
async function readRequest(
  request: ApiRequest,
  { diffRows }: Limits,
): Promise<{ readonly definition: string; readonly rows: number }> {
  const body = await readJsonBody(request, {
    definition: { is: isText, what: 'SQL text' },
    rows: { is: isCount, what: 'a whole number from 0', optional: true },
  })
  const { definition, rows = usualRows } = body as { readonly definition: string; readonly rows?: number }
  if (rows > diffRows) {
    const what = `rows is ${rows}, more than the ${diffRows} rows of each view that one answer may list`
    throw new MillraceError('request/parameter', what, { place: { pointer: '/rows' } })
  }
  return { definition, rows }
}
