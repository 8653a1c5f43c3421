import { MillraceError } from '../data/errors.ts'
import { typeName } from '../data/sql-type.ts'
import { shown } from './cast.ts'
import { functionNames, signaturesOf } from './functions/signatures.ts'
import type { Scalar } from './scalar.ts'

/** What to say of a call that means nothing, or nothing that depends on the log alone. */

const notFunctionsOfTheLog = new Set([
  'random',
  'setseed',
  'clock_timestamp',
  'statement_timestamp',
  'timeofday',
  'gen_random_uuid',
  'uuidv4',
  'uuidv7',
  'nextval',
  'currval',
  'pg_sleep',
])

export function isOperatorName(name: string): boolean {
  return !/^[a-z_]/.test(name)
}

export function describe(name: string, args: readonly Scalar[]): string {
  const types = args.map((arg) => typeName(shown(arg.type)))
  if (!isOperatorName(name)) return `function ${name}(${types.join(', ')})`
  return `operator ${types.length === 1 ? `${name} ${types[0]}` : types.join(` ${name} `)}`
}

export function noMeaning(name: string, args: readonly Scalar[]): MillraceError {
  const known = [...new Set(signaturesOf(name).map(({ args: wanted }) => `(${wanted.join(', ')})`))].slice(0, 6)
  return new MillraceError('sql/type', `${describe(name, args)} does not exist`, {
    hint: `${name} takes ${known.join(', ')}; cast the arguments to one of these`,
  })
}

export function unknownName(name: string, args: readonly Scalar[]): MillraceError {
  if (notFunctionsOfTheLog.has(name)) {
    return new MillraceError('sql/unsupported', `${name}() is refused: its result is not a function of the log`, {
      hint: 'put the value into the event when it is appended',
    })
  }
  const near = nearestName(name)
  return new MillraceError('sql/unknown-function', `${describe(name, args)} does not exist`, {
    hint: near === null ? 'docs/FUNCTIONS.md lists the functions there are' : `did you mean ${near}?`,
  })
}

/** Names that no signature has. */
const otherNames = 'count sum avg min max bool_and bool_or coalesce concat concat_ws greatest least nullif'.split(' ')

function nearestName(name: string): string | null {
  let best: string | null = null
  let least = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const known of [...functionNames(), ...otherNames]) {
    if (isOperatorName(known) !== isOperatorName(name) || known.startsWith('$')) continue
    const distance = editDistance(name, known)
    if (distance < least) {
      least = distance
      best = known
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}
