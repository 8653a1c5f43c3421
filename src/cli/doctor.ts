import path from 'node:path'
import { styleText } from 'node:util'
import { MillraceError } from '../data/errors.ts'
import { version } from '../data/version.ts'
import { dial } from '../io/dial.ts'
import type { Disk, Io } from '../io/io.ts'
import { counted } from '../plan/why-words.ts'
import type { ReadyBody } from '../protocol/answers.ts'
import { upToDate } from './generate.ts'
import { loadApp } from './load-app.ts'
import { writeOut } from './output.ts'
import { connect } from './remote.ts'
import { describeError } from './report.ts'

export interface DoctorOptions {
  readonly data: string
  readonly url: string
  readonly json: boolean
}

export interface Finding {
  readonly check: string
  /** `warn`: it works, and could be better. */
  readonly state: 'ok' | 'warn' | 'fail'
  readonly detail: string
  readonly hint?: string
}

const unhealthyCode = 10
const oldestNode = [20, 19, 4]

/**
 * Looks at what an app needs to run well, and prints what it found.
 * @returns the exit code: 10 where something will not work
 */
export async function doctor(io: Io, app: string | undefined, options: DoctorOptions): Promise<number> {
  const findings: Finding[] = [checkNode()]
  findings.push(...(await checkApp(io.disk, app)))
  findings.push(...(await checkData(io, options.data)))
  findings.push(await checkServer(options.url))
  const failed = findings.some(({ state }) => state === 'fail')
  if (options.json) await writeOut(`${JSON.stringify({ ok: !failed, version, findings }, null, 2)}\n`)
  else await writeOut(findings.map(lineOf).join(''))
  return failed ? unhealthyCode : 0
}

const marks = { ok: ['green', '✓'], warn: ['yellow', '!'], fail: ['red', '✗'] } as const

function lineOf({ check, state, detail, hint }: Finding): string {
  const [colour, mark] = marks[state]
  const shown = process.stdout.isTTY ? styleText(colour, mark) : mark
  return `${shown} ${check.padEnd(6)} ${detail.replaceAll('\n', '\n       ')}\n${hint === undefined ? '' : `         hint: ${hint}\n`}`
}

function checkNode(): Finding {
  const own = process.versions.node
  const parts = own.split('.').map(Number)
  const differs = oldestNode.findIndex((part, i) => part !== parts[i])
  const isOld = differs >= 0 && parts[differs] < oldestNode[differs]
  const detail = `Node ${own}, millrace ${version}`
  if (!isOld) return { check: 'node', state: 'ok', detail }
  return { check: 'node', state: 'fail', detail, hint: `install Node ${oldestNode.join('.')} or newer` }
}

async function checkApp(disk: Disk, app: string | undefined): Promise<Finding[]> {
  try {
    const loaded = await loadApp(disk, app)
    const { path: file, definition } = loaded
    const { topics, views } = (await definition.plan({ topics: [], views: [] })).program
    const detail = `${file}: ${counted(topics.length, 'topic')}, ${counted(views.length, 'view')}`
    const found: Finding = { check: 'app', state: 'ok', detail }
    const generated = await upToDate(disk, loaded)
    if (generated === null || generated.isCurrent) return [found]
    const stale = `${generated.file} is not what ${file} defines`
    return [found, { check: 'types', state: 'warn', detail: stale, hint: 'run millrace generate' }]
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const isMissing = app === undefined && error.place.file === undefined && error.code === 'app/load'
    const [first, ...rest] = describeError(error).trimEnd().split('\n')
    const detail = [first.replace(/^error /, ''), ...rest.filter((line) => !line.startsWith('  hint:'))].join('\n')
    const hint = isMissing ? 'run millrace init, or name the app' : error.hint
    return [{ check: 'app', state: isMissing ? 'warn' : 'fail', detail, ...(hint === undefined ? {} : { hint }) }]
  }
}

async function checkData(io: Io, data: string): Promise<Finding[]> {
  const { disk } = io
  const names = await disk.list(path.join(data, 'log'))
  const there: Finding = {
    check: 'data',
    state: 'ok',
    detail: names.length === 0 ? `${data} is not there yet` : `${data} has a log of ${counted(names.length, 'file')}`,
  }
  try {
    return [there, await checkDisk(io, names.length === 0 ? nearestFolder(data) : data)]
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return [there, { check: 'disk', state: 'fail', detail: why, hint: `let this user write into ${data}` }]
  }
}

/** Nothing is made by looking: a folder that is not there yet is tried in its parent. */
function nearestFolder(data: string): string {
  return path.dirname(path.resolve(data))
}

const syncs = 15
const slowSyncMs = 20
/** No disk makes bytes durable so fast, unless it has a battery. */
const unlikelySyncMs = 0.02

async function checkDisk({ disk, clock, random }: Io, folder: string): Promise<Finding> {
  const name = path.join(folder, `.millrace-doctor-${Buffer.from(random.bytes(6)).toString('hex')}`)
  const file = await disk.open(name, { create: 'new' })
  const times: number[] = []
  try {
    const bytes = new Uint8Array(4096)
    for (let i = 0; i < syncs; i++) {
      await file.write(bytes, i * bytes.length)
      const start = clock.monotonicMs()
      await file.sync()
      times.push(clock.monotonicMs() - start)
    }
  } finally {
    await file.close()
    await disk.remove(name)
  }
  const median = times.sort((a, b) => a - b)[syncs >> 1]
  const detail = `a sync takes ${median < 1 ? median.toFixed(2) : median.toFixed(1)} ms`
  if (median > slowSyncMs) {
    const hint = 'every append waits for a sync: put the data on a local disk'
    return { check: 'disk', state: 'warn', detail: `${detail}, which is slow`, hint }
  }
  if (median < unlikelySyncMs) {
    const hint = 'a file system in memory, or one that ignores syncs, loses data when power does'
    return { check: 'disk', state: 'warn', detail: `${detail}, which no disk does`, hint }
  }
  return { check: 'disk', state: 'ok', detail }
}

async function checkServer(url: string): Promise<Finding> {
  connect(url)
  let response: Response
  try {
    response = await dial(new URL('/readyz', url).href)
  } catch {
    return { check: 'server', state: 'ok', detail: `nothing serves at ${url}: millrace dev would` }
  }
  const body = (await response.json().catch(() => null)) as Partial<ReadyBody> | null
  const { status, tick, detail } = body ?? {}
  if (status === 'failed' || status === 'stuck') {
    const shown = `${url} ${status === 'failed' ? 'has failed' : 'is stuck'}: ${detail ?? 'it does not say why'}`
    return { check: 'server', state: 'fail', detail: shown, hint: 'see its output, and start it again' }
  }
  if (status === 'ready' || status === 'replaying') {
    return { check: 'server', state: 'ok', detail: `${url} is ${status}, at tick ${tick}` }
  }
  const shown = `what serves at ${url} is not Millrace`
  return { check: 'server', state: 'warn', detail: shown, hint: 'choose another port with --port' }
}
