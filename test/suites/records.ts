// The outside suites' records, as their README describes them. Where they lie says the environment.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'

export const suitesFolder: string | undefined = process.env['MILLRACE_SUITES']

export interface SuiteRecord {
  readonly top?: string
  readonly file?: string
  readonly line?: number
  readonly kind: 'statement' | 'query'
  readonly expect?: 'ok' | 'error'
  readonly sql: string
  readonly sort?: string
  readonly exp?: readonly string[]
}

export interface SuiteGroup {
  readonly name: string
  readonly records: readonly SuiteRecord[]
}

/** @param suite such as `slt/sqlite`: records that stand for themselves, grouped by the file they come from */
export function readSuite(folder: string, suite: string): SuiteGroup[] {
  const text = gunzipSync(readFileSync(path.join(folder, `${suite}.jsonl.gz`))).toString('utf8')
  const groups = new Map<string, SuiteRecord[]>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const record = JSON.parse(line) as SuiteRecord
    const name = record.top ?? record.file ?? ''
    const group = groups.get(name)
    if (group) group.push(record)
    else groups.set(name, [record])
  }
  return [...groups].map(([name, records]) => ({ name, records }))
}
