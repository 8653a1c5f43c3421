import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Generator } from './nexmark/generator.ts'
import { writeJournal } from './nexmark/ours.ts'
import { millraceSql } from './nexmark/queries.ts'
import type { NexmarkRun } from './nexmark/report.ts'
import { megabytes, si, table } from './print.ts'
import { Server } from './server.ts'

/** A replay of everything is what a snapshot spares: it may take this long. */
const startMs = 600_000
/** The journal was written in one go; a program that had written it would have made history of it by then. */
const rewriteMs = 180_000

const bid = { auction: 1, bidder: 1, price: 1, channel: 'c', url: 'u', date_time: '2030-01-01T00:00:00', extra: 'e' }

/**
 * The last bid of every bidder in every auction: state that grows with the events, in the engine and in the view. How
 * long from the start of the process until it answers a read, and until it shows a new event; first by replaying the
 * log, then from a snapshot, after a clean end and after a kill.
 */
export async function reportRestart({ events, seed, rate, texts, folder }: NexmarkRun): Promise<void> {
  const own = path.join(folder, 'restart')
  rmSync(own, { recursive: true, force: true })
  mkdirSync(own, { recursive: true })
  await writeJournal(path.join(own, 'data/log'), new Generator({ seed, rate, texts }), events)
  const rows: string[][] = []
  for (const [what, end] of [
    ['from the log', 'clean'],
    ['from a snapshot', 'kill'],
    ['from a snapshot, after a kill', 'clean'],
  ] as const) {
    const started = performance.now()
    const server = await Server.start(own, millraceSql('q18'), startMs)
    await server.client.expect('GET', '/v1/views/q18?auction=1&bidder=1')
    const read = performance.now() - started
    const answer = await server.client.expect('POST', '/v1/topics/bid/events', JSON.stringify(bid))
    const { tick } = JSON.parse(answer) as { tick: number }
    await server.client.expect('GET', `/v1/views/q18?auction=1&bidder=1&min_tick=${tick}`)
    const visible = performance.now() - started
    if (what === 'from the log') await rewritten(path.join(own, 'data/log'))
    const ending = performance.now()
    await server.stop(end === 'kill' ? 'SIGKILL' : 'SIGTERM')
    const ended = performance.now() - ending
    const { engine, views } = stateBytes(path.join(own, 'data/state'))
    const journal = journalBytes(path.join(own, 'data/log'))
    const perGiB = ((visible / 1000) * 2 ** 30) / (engine + views)
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
    const kept = [megabytes(engine), megabytes(views), megabytes(journal)]
    rows.push([what, seconds(read), seconds(visible), `${perGiB.toFixed(2)} s`, ...kept, `${end}: ${seconds(ended)}`])
  }
  table(
    [
      `${si(events)} events, q18`,
      'first read',
      'new event visible',
      'a GiB of state',
      'engine',
      'views',
      'journal',
      'end',
    ],
    rows,
  )
}

/**
 * Resolves when hardly more than the file that is written to is left of the journal, or after a while: a start reads
 * what is left whole, which is no matter of state.
 */
async function rewritten(folder: string): Promise<void> {
  const until = performance.now() + rewriteMs
  const journals = (): number => readdirSync(folder).filter((name) => name.endsWith('.journal')).length
  while (journals() > 2 && performance.now() < until) await sleep(100)
}

/** What is left of the journal: all of it is read by a start. */
function journalBytes(folder: string): number {
  const names = readdirSync(folder).filter((name) => name.endsWith('.journal'))
  return names.reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0)
}

/** What lies on disk of the engine's state and of the views. */
function stateBytes(folder: string): { readonly engine: number; readonly views: number } {
  const found = { engine: 0, views: 0 }
  for (const name of readdirSync(folder)) {
    const { size } = statSync(path.join(folder, name))
    if (name.endsWith('.run')) found.engine += size
    else if (name.endsWith('.pages')) found.views += size
  }
  return found
}
