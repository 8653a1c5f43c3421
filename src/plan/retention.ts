import { microsPerDay } from '../data/datetime.ts'
import { parseInterval } from '../data/interval.ts'
import { refusal } from '../sql/refuse.ts'
import type { Option } from './definition-options.ts'
import type { RetainDefinition, RetentionDefinition } from './program.ts'

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
export function retainOf(option: Option): RetainDefinition {
  return spanOf(option, 'retain', ["write it like '1 hour', '64 MiB' or '1 hour, 64 MiB'", "write '0 MiB' for nothing"])
}

/**
 * Reads how much of a topic's events is kept in the log: as `retain`. A table keeps its rows whatever it says, and
 * takes a time only: what of its history is older is kept as the rows that it led to.
 * @throws MillraceError sql/definition
 */
export function retentionOf(option: Option | undefined, isTable: boolean): RetentionDefinition | undefined {
  if (option === undefined) return undefined
  const how = isTable ? "write it like '7 days'" : "write it like '7 days', '10 GiB' or '7 days, 10 GiB'"
  const span = spanOf(option, 'retention', [how, 'leave retention out to keep everything'])
  if (isTable && span.bytes !== null) {
    const what = 'retention of a table with a primary key can’t be a size: its rows stay, however many they are'
    throw refusal(
      'sql/definition',
      what,
      option.place,
      "write a time, like '7 days': history that is older is compacted",
    )
  }
  return span
}

function spanOf(option: Option, name: string, [how, none]: readonly [how: string, none: string]): RetainDefinition {
  const { text, place, word } = option
  const wrong = (what: string, hint: string): Error => refusal('sql/definition', what, place, hint)
  let micros: bigint | null = null
  let bytes: number | null = null
  for (const part of word ? text.split(',') : ['']) {
    const size = sizeText.exec(part.trim())
    const interval = size === null ? parseInterval(part) : null
    if (size !== null && bytes === null) bytes = Number(size[1]) * units[size[2].toLowerCase()]
    else if (interval !== null && micros === null) {
      if (interval.months !== 0) throw wrong(`${name} can't be in months`, 'write it in days or shorter units')
      micros = BigInt(interval.days) * BigInt(microsPerDay) + interval.micros
      if (micros < 0n) throw wrong(`${name} can't be negative`, none)
    } else throw wrong(`${name} ${JSON.stringify(text)} is neither a time nor a size`, how)
  }
  return { micros: micros === null ? null : String(micros), bytes }
}
