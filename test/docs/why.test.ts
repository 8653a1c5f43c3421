import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findText, journeyText } from '../../src/cli/journey-text.ts'
import { plain, whyText } from '../../src/cli/why-tree.ts'
import { createInspector } from '../../src/client/inspector.ts'
import { type Running, startRunning } from '../support/running-server.ts'

// What docs/WHY.md shows is asked, and must be answered as the page says: all but the times at which its events came.

const page = readFileSync(new URL('../../docs/WHY.md', import.meta.url), 'utf8')

function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text)
}

let running: Running

beforeAll(async () => {
  running = await startRunning({}, blocks('sql')[0])
  for (const line of blocks('ndjson')[0].trim().split('\n')) {
    const { tick } = await running.database.appendMixed(new TextEncoder().encode(`{"events":[${line}]}`))
    await running.database.waitForTick(tick)
  }
})

afterAll(() => running.stop())

/** What a command of the page prints. */
async function printed(command: string): Promise<string> {
  const inspector = createInspector({ url: running.url })
  const [, verb, relation, ...rest] = command.split(' ')
  const at = rest.indexOf('--as-of')
  const asOf = at < 0 ? {} : { asOf: rest[at + 1] }
  const where = Object.fromEntries((at < 0 ? rest : rest.slice(0, at)).map((pair) => pair.split('=')))
  if (verb === 'why') return whyText(await inspector.why(relation, where, asOf), plain)
  if (verb === 'find') return findText(await inspector.find(relation, where), plain)
  return journeyText(await inspector.journey(relation, Number(rest[0])), plain)
}

/** Times of appends and seals, which nobody knows before. */
function timeless(text: string): string {
  return text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?/g, 'TIME').trimEnd()
}

const session = blocks('console').flatMap((block) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text): [string, string] => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n') + 1)]),
)

it.each(session)('docs/WHY.md shows what %s prints', async (command, shown) => {
  expect(timeless(shown)).toBe(timeless(await printed(command)))
})
