import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/data/errors.ts'
import { type LawCase, printCase } from './case-file.ts'
import { readCases } from './cases.ts'
import { explained } from './explained.ts'
import { generate } from './fuzz/generate.ts'
import { Random } from './fuzz/random.ts'
import { toCase } from './fuzz/scenario.ts'

const few = 40
const scenarios = Number(process.env.MILLRACE_WHY_SCENARIOS ?? few)
const firstSeed = Number(process.env.MILLRACE_WHY_SEED ?? 1)

/** Every so many-th case is asked about. */
const stride = scenarios > few ? 1 : 40

/** Long runs are asked for. */
const timeout = 300_000 + scenarios * 5000

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
  it('the events that it names make the row, and its sums add up: random scenarios', { timeout }, async () => {
    const problems: string[] = []
    for (let seed = firstSeed; seed < firstSeed + scenarios && problems.length === 0; seed++) {
      const item = toCase(generate(seed))
      const found = await problemsOf(item, seed)
      if (found.length > 0) problems.push(`seed ${seed}\n${found.join('\n')}\n${printCase(item)}`)
    }
    expect(problems).toEqual([])
  })

  it('the same of the cases', { timeout }, async () => {
    const cases = readCases().filter(({ refused }, i) => refused === null && i % stride === 0)
    const problems: string[] = []
    for (const item of cases) problems.push(...(await problemsOf(item, 1)))
    expect(problems).toEqual([])
  })
})
