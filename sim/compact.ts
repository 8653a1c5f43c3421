// The table is compacted in the middle of a life, behind the program's back.
import type { Counts } from './between-lives.ts'
import { codeOf, type Life } from './life.ts'
import { topicOf } from './program.ts'
import type { Subscriber } from './subscriber.ts'

/** Does so again and again, if the plan says so. */
export async function compact(life: Life, subscribers: readonly Subscriber[], counts: Counts): Promise<void> {
  const { trimMs } = life.plan
  for (let i = 0; trimMs !== null && i < 4; i++) {
    await life.sleep(trimMs)
    if (life.over) return
    try {
      await compactOnce(life, subscribers, counts)
    } catch (error) {
      const code = codeOf(error)
      life.trace('the keeper of the log', `trims nothing: ${code}`)
      const explained =
        (life.plan.failSync !== null && code === 'log/poisoned') ||
        (code === 'log/closed' && life.closing) ||
        (life.full && code === 'log/full')
      if (!explained) throw error
    }
  }
}

async function compactOnce(life: Life, subscribers: readonly Subscriber[], counts: Counts): Promise<void> {
  // Who goes on from a tick before the cut would miss deletes.
  const least = Math.min(...subscribers.map(({ tick }) => tick ?? Number.POSITIVE_INFINITY))
  const cuts = life.log.cuts().filter(({ tick }) => tick <= least)
  const cut = cuts[Math.floor((cuts.length * (1 + (life.number % 2))) / 2) - 1]
  if (cut === undefined || life.over) return
  const { id } = topicOf('account')
  life.trace('the keeper of the log', `trims up to ${cut.tick}`)
  await life.within('trimming', life.log.trim([{ topic: id, throughTick: cut.tick, keep: { key: [0] } }]))
  counts.trimmed++
}
