import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { Appender, type Request } from './appender.ts'
import { Auction, auctionSql, type Events, type LoggedEvent, type ViewName, viewNames } from './auction.ts'
import { Follower, readNowAndThen, readView, type Seen } from './follower.ts'
import { Random } from './random.ts'
import { ServerProcess } from './server-process.ts'

// A real server under load, killed again and again at moments it can't choose. More rounds: MILLRACE_KILL_ROUNDS.
const rounds = Number(process.env.MILLRACE_KILL_ROUNDS ?? 5)
const seed = Number(process.env.MILLRACE_KILL_SEED ?? Date.now() % 1_000_000)
/** On a machine that is busy with other things, a few rounds are enough. */
const enoughMs = process.env.MILLRACE_KILL_ROUNDS === undefined ? 12_000 : Number.POSITIVE_INFINITY
const roundsAtLeast = 2
const clients = 6
/** Long runs append at the same rate per round, but see less of what happens, so that checking stays short. */
const everyChange = Math.min(1, 20 / rounds)

/** So that most lives begin with a snapshot, and many end while one is taken. A notice about one fails the test. */
const oftenSnapshots = ['--snapshot-every', '16']

let folder: string
let server: ServerProcess | null = null

afterEach(async () => {
  await server?.kill()
  rmSync(folder, { recursive: true, force: true })
})

describe('a server that is killed under load', () => {
  it(
    `has every acknowledged event once, and views that follow from them (seed ${seed}, ${rounds} rounds)`,
    async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'millrace-kill-'))
      writeFileSync(path.join(folder, 'app.sql'), auctionSql)
      const random = new Random(seed)
      // Until the first server says where it is, nobody is there.
      let url = 'http://127.0.0.1:9'
      let going = true
      const where = (): string => url
      const isGoing = (): boolean => going
      const appenders = Array.from({ length: clients }, (_, i) => new Appender(`c${i}`, fork(random), where, 4))
      const followers = (['totals', 'by_owner', 'best'] as const).map(
        (view) => new Follower(view, fork(random), where, everyChange),
      )
      const reading = readNowAndThen(viewNames, fork(random), where, isGoing)
      const work = [...appenders.map((one) => one.run(isGoing)), ...followers.map((one) => one.run(isGoing)), reading]
      const broken = Promise.all(work)
      broken.catch(() => {})
      const sum = (pick: (one: Appender) => number): number => appenders.reduce((all, one) => all + pick(one), 0)
      const whatHappened = (): [what: string, enough: boolean][] => [
        ['retries', sum(({ tally }) => tally.retries) > roundsAtLeast],
        ['repeats', sum(({ tally }) => tally.repeats) > roundsAtLeast],
        ['resumed streams', followers.some(({ resumes }) => resumes > 0)],
        [
          'snapshots',
          readdirSync(path.join(folder, 'data', 'state')).some((name) => /^snapshot-\d+\.json$/.test(name)),
        ],
      ]
      const start = async (): Promise<void> => {
        server = new ServerProcess([
          'start',
          path.join(folder, 'app.sql'),
          '--data',
          path.join(folder, 'data'),
          '--port',
          '0',
          ...oftenSnapshots,
        ])
        url = await server.serving
      }
      try {
        const began = performance.now()
        for (let round = 0; round < rounds; round++) {
          if (round >= roundsAtLeast && performance.now() - began > enoughMs) break
          if (random.chance(0.2)) await killedWhileStarting(random)
          await start()
          // What goes wrong ends the test at once, not after all rounds.
          await Promise.race([sleep(random.between(80, 700)), broken])
          await server!.kill()
          expect(withoutWelcome(server!.err)).toBe('')
        }
        await start()
        // A run in which nothing happened would prove nothing, however little a slow machine does in a life.
        const happened = expect.poll(() =>
          whatHappened()
            .filter(([, enough]) => !enough)
            .map(([what]) => what),
        )
        await Promise.race([happened.toEqual([]), broken])
      } finally {
        going = false
      }
      const [read] = (await broken).slice(-1) as [Seen[]]
      const requests = appenders.flatMap((one) => one.requests)

      // Everything once more: the same answers.
      for (const one of appenders) for (const request of sample(one.requests, 50)) await one.repeat(request)
      const events: Events = { bid: await eventsOf(url, 'bid'), account: await eventsOf(url, 'account') }
      checkRequests(requests, events)
      const last = await allViews(url)
      const seen = [...read, ...followers.flatMap((one) => one.seen), ...last]
      checkSeen(seen, events)

      await server!.kill('SIGTERM')
      expect(await server!.ended).toBe(0)
      await start()
      expect((await allViews(url)).map(({ rows }) => rows)).toEqual(last.map(({ rows }) => rows))

      const told = {
        requests: requests.length,
        events: events.bid.length + events.account.length,
        retries: sum(({ tally }) => tally.retries),
        replayed: sum(({ tally }) => tally.replayed),
        repeats: sum(({ tally }) => tally.repeats),
        unknown: sum(({ tally }) => tally.unknown),
        seen: seen.length,
        resumes: followers.reduce((all, one) => all + one.resumes, 0),
        resets: followers.reduce((all, one) => all + one.resets, 0),
      }
      if (process.env.MILLRACE_KILL_ROUNDS !== undefined) console.log(told)
    },
    300_000 + rounds * 5_000,
  )
})

function fork(random: Random): Random {
  return new Random(random.below(2 ** 31))
}

async function killedWhileStarting(random: Random): Promise<void> {
  server = new ServerProcess([
    'start',
    path.join(folder, 'app.sql'),
    '--data',
    path.join(folder, 'data'),
    '--port',
    '0',
    ...oftenSnapshots,
  ])
  await sleep(random.between(100, 700))
  await server.kill()
}

function withoutWelcome(err: string): string {
  return err.replace(/^serving .*\n/, '')
}

/** At most `most` of them, spread over all. */
function sample<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, Math.floor(all.length / most))
  return all.filter((_, i) => i % step === 0)
}

async function eventsOf(url: string, topic: string): Promise<LoggedEvent[]> {
  const found: LoggedEvent[] = []
  for (;;) {
    const page = await fetch(`${url}/v1/topics/${topic}/events?from=${found.length}&limit=10000&numbers=string`)
    expect(page.status).toBe(200)
    const { events, next } = (await page.json()) as { events: LoggedEvent[]; next: number }
    for (const event of events) {
      // One comparison an event: expect() would take longer than the server.
      if (event.offset !== found.length) throw new Error(`offset ${event.offset} at ${found.length} of ${topic}`)
      if (event.tick < (found.at(-1)?.tick ?? 1)) throw new Error(`tick ${event.tick} goes back in ${topic}`)
      found.push(event)
    }
    expect(next).toBe(found.length)
    if (events.length === 0) return found
  }
}

async function allViews(url: string): Promise<Seen[]> {
  const found: Seen[] = []
  for (const view of viewNames) found.push((await readView(url, view))!)
  return found
}

interface Range {
  readonly first_offset: number
  readonly last_offset: number
}

/** Every event of the log was sent, once; what was answered is where the answer says, whole and in one tick. */
function checkRequests(requests: readonly Request[], events: Events): void {
  const offsets = new Map<string, number>()
  for (const topic of ['bid', 'account'] as const) {
    for (const { offset, op, data } of events[topic]) {
      if (op === 'delete') continue
      const ref = `${topic} ${data.ref}`
      if (offsets.has(ref)) throw new Error(`${ref} is there twice, at ${offsets.get(ref)} and ${offset}`)
      offsets.set(ref, offset)
    }
  }
  const taken = { bid: 0, account: 0 }
  for (const request of requests) {
    const ranges = request.answer === null ? rangesFound(request, offsets) : rangesAnswered(request)
    // An append without a key that broke off: nothing of it is there.
    if (ranges === null) continue
    const ticks = new Set<number>()
    for (const topic of ['bid', 'account'] as const) {
      const sent = request.events.filter((event) => event.topic === topic)
      const range = ranges[topic]
      if (sent.length === 0) continue
      expect(range, request.body).toBeDefined()
      expect(range!.last_offset - range!.first_offset + 1, request.body).toBe(sent.length)
      for (const [i, { op, data }] of sent.entries()) {
        const logged = events[topic][range!.first_offset + i]
        if (logged === undefined) throw new Error(`offset ${range!.first_offset + i} of ${topic} is missing`)
        ticks.add(logged.tick)
        const wanted = op === 'delete' ? String(data.id) : data.ref
        const found = op === 'delete' ? logged.data.id : logged.data.ref
        if (logged.op !== op || found !== wanted) {
          throw new Error(`${JSON.stringify(logged)} of ${topic} should be ${JSON.stringify(data)}`)
        }
      }
      taken[topic] += sent.length
    }
    expect(ticks.size, request.body).toBe(1)
    if (request.answer !== null) expect([...ticks][0], request.body).toBe(JSON.parse(request.answer).tick)
  }
  expect(taken).toEqual({ bid: events.bid.length, account: events.account.length })
}

type Ranges = Partial<Record<'bid' | 'account', Range>>

function rangesAnswered({ path: asked, answer }: Request): Ranges {
  const body = JSON.parse(answer!)
  return asked === '/v1/append' ? body.offsets : { bid: body }
}

/** Where an append is that was never answered, by its events' refs; its deletes are beside them. */
function rangesFound({ events }: Request, offsets: ReadonlyMap<string, number>): Ranges | null {
  const ranges: Ranges = {}
  for (const topic of ['bid', 'account'] as const) {
    const sent = events.filter((event) => event.topic === topic)
    const at = sent.findIndex(({ op }) => op !== 'delete')
    const offset = at < 0 ? undefined : offsets.get(`${topic} ${sent[at].data.ref}`)
    if (offset !== undefined) {
      ranges[topic] = { first_offset: offset - at, last_offset: offset - at + sent.length - 1 }
    }
  }
  return Object.keys(ranges).length === 0 ? null : ranges
}

/** The law, over real processes: whatever anybody saw at a tick is what the log up to that tick gives. */
function checkSeen(seen: readonly Seen[], events: Events): void {
  const ordered = [...seen].sort((a, b) => a.tick - b.tick)
  const auction = new Auction()
  const at = { bid: 0, account: 0 }
  let computed = new Map<ViewName, string[]>()
  let tick = -1
  for (const one of ordered) {
    if (one.tick !== tick) {
      tick = one.tick
      computed = new Map()
      for (; (events.bid[at.bid]?.tick ?? Infinity) <= tick; at.bid++) auction.bid(events.bid[at.bid])
      for (; (events.account[at.account]?.tick ?? Infinity) <= tick; at.account++) {
        auction.account(events.account[at.account])
      }
    }
    const rows = computed.get(one.view) ?? auction.rows(one.view)
    computed.set(one.view, rows)
    expect(one.rows, `${one.view} at tick ${tick}`).toEqual(rows)
  }
  expect(at).toEqual({ bid: events.bid.length, account: events.account.length })
}
