import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/data/errors.ts'
import { type LawCase, printCase } from './case-file.ts'
import { readCases } from './cases.ts'
import { explained } from './explained.ts'
import { generate } from './fuzz/generate.ts'
import { Random } from './fuzz/random.ts'
import { toCase } from './fuzz/scenario.ts'

const seconds = Number(process.env.MILLRACE_WHY_SECONDS ?? 10)
const firstSeed = Number(process.env.MILLRACE_WHY_SEED ?? 1)

/** Every so many-th case is asked about. */
const stride = seconds > 10 ? 1 : 40

async function problemsOf(item: LawCase, seed: number): Promise<string[]> {
  try {
    return (await explained(item, new Random(seed))).map((problem) => `${item.name}: ${problem}`)
  } catch (error) {
    // What is refused at definition, or an event that a case has to be refused, says nothing here.
    if (error instanceof MillraceError) return []
    throw error
  }
}

describe('why, asked of everything', () => {
  it(
    'the events that it names make the row, and its sums add up: random scenarios',
    async () => {
      const end = performance.now() + seconds * 1000
      const problems: string[] = []
      for (let seed = firstSeed; performance.now() < end && problems.length === 0; seed++) {
        const item = toCase(generate(seed))
        const found = await problemsOf(item, seed)
        if (found.length > 0) problems.push(`seed ${seed}\n${found.join('\n')}\n${printCase(item)}`)
      }
      expect(problems).toEqual([])
    },
    2 * seconds * 1000 + 60_000,
  )

  it(
    'the same of the cases',
    async () => {
      const cases = readCases().filter(({ refused }, i) => refused === null && i % stride === 0)
      const problems: string[] = []
      for (const item of cases) problems.push(...(await problemsOf(item, 1)))
      expect(problems).toEqual([])
    },
    20 * seconds * 1000 + 60_000,
  )
})
