import { textTable } from '../data/text-print.ts'
import { type CheckResult, verifyData } from '../database/verify/verify.ts'
import type { Io } from '../io/io.ts'
import { say, writeOut } from './output.ts'
import { ProgressBar } from './progress.ts'
import { describeError } from './report.ts'

export interface VerifyOptions {
  readonly data: string
  readonly full: boolean
  readonly json: boolean
}

/**
 * Checks a data folder and prints what was found.
 * @returns the exit code: 0 when all is whole, 1 when something isn't
 */
export async function verify(io: Io, { data, full, json }: VerifyOptions): Promise<number> {
  const bar = new ProgressBar('replay')
  const onReplay = (tick: number, last: number): void => bar.update(tick, last, `tick ${tick}`)
  const results = await verifyData({ io, folder: data, full, engine: 'worker', onReplay }).finally(() => bar.stop())
  const failed = results.find(({ problem }) => problem !== null)
  if (json) {
    await writeOut(`${JSON.stringify({ ok: failed === undefined, checks: results.map(bodyOf) }, null, 2)}\n`)
  } else {
    const lines = results.flatMap(({ check, found }) => linesOf(check, found))
    if (lines.length > 0) await writeOut(textTable(columns, lines))
    for (const { found } of results) for (const note of found?.notes ?? []) say(note)
    if (failed === undefined) await writeOut('ok\n')
  }
  if (failed !== undefined) say(describeError(failed.problem).trimEnd())
  return failed === undefined ? 0 : 1
}

const text = { kind: 'text' } as const
const columns = ['check', 'what', 'found'].map((name) => ({ name, type: text, nullable: false }))

function linesOf(check: string, found: CheckResult['found']): string[][] {
  if (found === null) return []
  return Object.entries(found.facts).map(([what, value]) => [check, what, String(value)])
}

function bodyOf({ check, found, problem }: CheckResult) {
  const notes = { notes: found?.notes ?? [] }
  if (problem === null) return { check, ok: true, ...found?.facts, ...notes }
  const { code, message, place } = problem
  const body = { check, ok: false, code, message, file: place.file ?? null, byte: place.offset ?? null }
  return found === null ? body : { ...body, ...found.facts, ...notes, differing: found.differing ?? [] }
}
