import { MillraceError } from '../../data/errors.ts'
import type { DiskLock, Io } from '../../io/io.ts'
import { IoError } from '../../io/io.ts'
import { checkLog, holdsLog, type LogReport } from '../../log/check.ts'
import { checkBackup } from '../../log/restore.ts'
import { readSnapshot, stateNames } from '../../state/snapshots/manifest.ts'
import { isDamage } from '../../views/view-files.ts'
import { checkSnapshot, damagedPast, withoutPause } from './check-snapshot.ts'
import { EventChecker } from './event-checker.ts'
import type { Differing } from './snapshot-replay.ts'
import { replayCheck } from './verify-snapshots.ts'

/** One thing that is looked at, and what was found when it is whole. */
export interface DataCheck {
  readonly name: string
  /** @returns null where there is nothing to look at. @throws MillraceError log/corrupt (or a sibling) that names file and byte */
  run(data: CheckedData): Promise<CheckFacts | null>
}

export interface CheckedData {
  readonly io: Io
  /** The data folder. */
  readonly folder: string
  /** Also what takes as long as a replay of all there is. */
  readonly full: boolean
  /** Where views are made again. Default `inline`. */
  readonly engine?: 'inline' | 'worker'
  readonly memoryBytes?: number
  /** Told the tick that a replay has come to, and the last one. */
  readonly onReplay?: (tick: number, last: number) => void
}

/** What a check counted, by name, and what is worth a word. */
export interface CheckFacts {
  readonly facts: Readonly<Record<string, number | string>>
  readonly notes: readonly string[]
  /** In what snapshots differ from what the log makes; none is as good as an empty list. */
  readonly differing?: readonly Differing[]
}

export interface CheckResult {
  readonly check: string
  /** Null: it could not be gone through to the end; then `problem` says why. */
  readonly found: CheckFacts | null
  readonly problem: MillraceError | null
}

const logCheck: DataCheck = {
  name: 'log',
  async run({ io, folder, full }) {
    const checker = full ? new EventChecker() : null
    const report = await checkLog(io.disk, `${folder}/log`, (block) => checker?.visit(block))
    if (report === null) throw noData(folder)
    await checkBackup(io.disk, folder, report.tick)
    return factsOf(report)
  },
}

function factsOf(report: LogReport): CheckFacts {
  const notes: string[] = []
  if (report.unsealedCommits > 0) notes.push(`${report.unsealedCommits} commits await their tick: the next start seals`)
  if (report.tornBytes > 0)
    notes.push(`${report.tornBytes} bytes of an unacknowledged commit: the next start cuts them`)
  const { files, bytes, commits, blocks, events, keys, tick } = report
  return { facts: { files, bytes, commits, blocks, events, ticks: tick, keys }, notes }
}

/** The base is part of the log; a snapshot that is damaged costs time, and is worth a word. */
const stateCheck: DataCheck = {
  name: 'state',
  async run({ io: { disk }, folder }) {
    const state = `${folder}/state`
    const names = await disk.list(state)
    const present = new Set(names)
    const all = stateNames(names)
    if (all.length === 0) return null
    const facts = { snapshots: 0, bases: 0, files: 0, bytes: 0 }
    const notes: string[] = []
    for (const name of all) {
      const isBase = name.startsWith('base-')
      try {
        const manifest = readSnapshot(disk, state, name, present)
        const checked = await checkSnapshot(disk, state, manifest, withoutPause)
        facts[isBase ? 'bases' : 'snapshots']++
        facts.files += checked.files
        facts.bytes += checked.bytes
        const lost = await damagedPast(disk, state, manifest)
        if (lost !== null)
          notes.push(`what views retain of their past with ${name} is damaged, replay tells it: ${lost}`)
      } catch (error) {
        if (!isDamage(error)) throw error
        const { message } = error as Error
        if (isBase) throw damagedBase(`${state}/${name}`, message, error)
        notes.push(`the snapshot ${name} is of no use: ${message}`)
      }
    }
    return { facts, notes }
  },
}

function damagedBase(file: string, what: string, cause: unknown): MillraceError {
  return new MillraceError('log/corrupt', `what stands for events that are gone is damaged: ${file}: ${what}`, {
    hint: 'start the server, which makes another base of a snapshot that is whole, or restore the folder from a backup',
    place: { file },
    cause,
  })
}

/** What `verify` looks at, in this order. */
export const dataChecks: readonly DataCheck[] = [logCheck, stateCheck, replayCheck]

/**
 * Checks a data folder that no process has open; nothing in it is changed.
 * @returns one result per check, up to the first that failed
 * @throws MillraceError usage where there are no data, log/locked
 */
export async function verifyData(data: CheckedData, checks = dataChecks): Promise<readonly CheckResult[]> {
  if (!(await holdsLog(data.io.disk, `${data.folder}/log`))) throw noData(data.folder)
  const lock = await lockOf(data)
  try {
    const results: CheckResult[] = []
    for (const check of checks) {
      const result = await runCheck(check, data)
      if (result === null) continue
      results.push(result)
      if (result.problem !== null) break
    }
    return results
  } finally {
    await lock?.release()
  }
}

async function runCheck(check: DataCheck, data: CheckedData): Promise<CheckResult | null> {
  try {
    const found = await check.run(data)
    if (found === null) return null
    const [differs] = found.differing ?? []
    return { check: check.name, found, problem: differs === undefined ? null : wrongSnapshot(data.folder, differs) }
  } catch (error) {
    const problem = problemOf(error)
    if (problem === null) throw error
    return { check: check.name, found: null, problem }
  }
}

function wrongSnapshot(folder: string, { file, view, tick, missing, extra, rows }: Differing): MillraceError {
  const path = `${folder}/state/${file}`
  const counts = missing + extra === 0 ? 'its count of rows is wrong' : `${missing} rows are missing, ${extra} too many`
  const listed = rows.map(({ row, weight }) => `${weight < 0 ? 'too many' : 'missing'}: ${row}`)
  const what = [`${path} is not what the log makes: ${view} at tick ${tick}: ${counts}`, ...listed].join('; ')
  const isBase = file.startsWith('base-')
  return new MillraceError('state/corrupt', what, {
    hint: isBase
      ? 'restore the folder from a backup: the base stands for events that are gone'
      : `delete ${path}: a start goes on from an older snapshot that is right, or makes state anew from the log`,
    place: { file: path },
  })
}

function problemOf(error: unknown): MillraceError | null {
  if (error instanceof MillraceError) return error
  if (!(error instanceof IoError)) return null
  return new MillraceError('log/corrupt', `a file can’t be read: ${error.message}`, {
    hint: 'check the disk and the folder’s permissions',
    place: { file: error.path },
    cause: error,
  })
}

/** Where nothing can be written, such as on a copy that is mounted read-only, nobody else can write either. */
async function lockOf({ io, folder }: CheckedData): Promise<DiskLock | null> {
  let lock: DiskLock | null
  try {
    lock = await io.disk.lock(`${folder}/log/lock`)
  } catch (error) {
    if (error instanceof IoError && error.failure === 'denied') return null
    throw error
  }
  if (lock !== null) return lock
  throw new MillraceError('log/locked', `another process has the log in ${folder} open`, {
    hint: 'stop that process, or take a backup of it and verify that',
    place: { file: folder },
  })
}

function noData(folder: string): MillraceError {
  return new MillraceError('usage', `there is no log in ${folder}`, { hint: 'name the data folder with --data' })
}
