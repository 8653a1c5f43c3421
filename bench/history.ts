import path from 'node:path'
import { inChild } from './child.ts'
import type { HistoryAnswer, HistoryTask } from './history-job.ts'
import { megabytes, milliseconds, percent, si, table } from './print.ts'

export interface HistoryRun {
  readonly folder: string
  readonly runs: number
  readonly smoke: boolean
}

const names = {
  bids: 'Nexmark bids, 5000 a commit',
  single: 'Nexmark bids, one by one',
  flights: 'flights',
} as const

/** Prints what becomes of a journal: its size as history, what that costs, and how both are read. */
export async function reportHistory({ folder, runs, smoke }: HistoryRun): Promise<void> {
  const script = new URL('./history-job.ts', import.meta.url)
  const rows: string[][] = []
  for (const data of ['bids', 'flights', 'single'] as const) {
    const events = smoke ? 600_000 : data === 'single' ? 1_000_000 : 3_000_000
    const task: HistoryTask = { data, folder: path.join(folder, `history-${data}`), events, runs }
    const found = await inChild<HistoryTask, HistoryAnswer>(script, task)
    const { journalBytes, historyBytes, rewriting, fromJournal, fromHistory, twoColumns } = found
    const rate = ({ cpuSeconds }: { readonly cpuSeconds: number }): string => si(found.events / cpuSeconds)
    rows.push([
      names[data],
      si(found.events),
      `${megabytes(journalBytes)} → ${megabytes(historyBytes)} (${percent(historyBytes / journalBytes)})`,
      `${megabytes(journalBytes / rewriting.cpuSeconds)}/s`,
      rate(fromJournal),
      rate(fromHistory),
      rate(twoColumns),
      milliseconds(found.readMs),
    ])
  }
  table(
    [
      'history',
      'events',
      'journal → history',
      'rewriting',
      'replay/s: journal',
      'history',
      'two columns',
      'one event, p50',
    ],
    rows,
  )
}
