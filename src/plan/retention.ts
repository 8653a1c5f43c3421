import { microsPerDay } from '../data/datetime.ts'
import { parseInterval } from '../data/interval.ts'
import { refusal } from '../sql/refuse.ts'
import type { Option } from './definition-options.ts'
import type { RetainDefinition } from './program.ts'

const units: Readonly<Record<string, number>> = {
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}
const sizeText = /^(\d{1,9})\s*([kmg]i?b)$/i

/**
 * Reads how much of its past a view keeps: a time, a size, or both with a comma between them.
 * @throws MillraceError sql/definition
 */
export function retainOf({ text, place, word }: Option): RetainDefinition {
  const wrong = (what: string, hint: string): Error => refusal('sql/definition', what, place, hint)
  const how = "write it like '1 hour', '64 MiB' or '1 hour, 64 MiB'"
  let micros: bigint | null = null
  let bytes: number | null = null
  for (const part of word ? text.split(',') : ['']) {
    const size = sizeText.exec(part.trim())
    const interval = size === null ? parseInterval(part) : null
    if (size !== null && bytes === null) bytes = Number(size[1]) * units[size[2].toLowerCase()]
    else if (interval !== null && micros === null) {
      if (interval.months !== 0) throw wrong("retain can't be in months", 'write it in days or shorter units')
      micros = BigInt(interval.days) * BigInt(microsPerDay) + interval.micros
      if (micros < 0n) throw wrong("retain can't be negative", "write '0 MiB' for nothing")
    } else throw wrong(`retain ${JSON.stringify(text)} is neither a time nor a size`, how)
  }
  return { micros: micros === null ? null : String(micros), bytes }
}
