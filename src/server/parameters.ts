import { MillraceError } from '../data/errors.ts'

/** A request's query, in which nothing is passed over: who has taken what he knows calls `end`. */
export class Parameters {
  readonly #values = new Map<string, string[]>()

  /** @param query without the question mark @throws MillraceError request/parameter for what is no UTF-8 */
  constructor(query: string) {
    for (const part of query.split('&')) {
      if (part === '') continue
      const at = part.indexOf('=')
      const name = decode(at < 0 ? part : part.slice(0, at))
      const value = at < 0 ? '' : decode(part.slice(at + 1))
      const values = this.#values.get(name)
      if (values === undefined) this.#values.set(name, [value])
      else values.push(value)
    }
  }

  /** Takes all values of a parameter. */
  all(name: string): readonly string[] {
    const values = this.#values.get(name) ?? []
    this.#values.delete(name)
    return values
  }

  /** Takes a parameter that may be there once. @throws MillraceError request/parameter */
  one(name: string): string | null {
    const values = this.all(name)
    if (values.length > 1) throw refused(name, 'is there more than once')
    return values[0] ?? null
  }

  /** Takes a whole number from 0. @throws MillraceError request/parameter */
  integer(name: string): number | null {
    const text = this.one(name)
    return text === null ? null : wholeNumber(name, text)
  }

  /** Takes one of several words. @throws MillraceError request/parameter */
  choice<T extends string>(name: string, choices: readonly T[]): T | null {
    const text = this.one(name)
    if (text === null) return null
    const choice = choices.find((each) => each === text)
    if (choice === undefined) throw refused(name, `is ${choices.join(' or ')}, not ${JSON.stringify(text)}`)
    return choice
  }

  /** Takes what is left. */
  rest(): readonly (readonly [name: string, values: readonly string[]])[] {
    const rest = [...this.#values]
    this.#values.clear()
    return rest
  }

  /** @throws MillraceError request/parameter if something is left */
  end(): void {
    for (const name of this.#values.keys()) throw refused(name, 'is no parameter of this call')
  }
}

export function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw refused(name, `is a whole number from 0, not ${JSON.stringify(text)}`)
  }
  return value
}

export function refused(name: string, why: string, hint?: string): MillraceError {
  return new MillraceError('request/parameter', `${name} ${why}`, hint === undefined ? {} : { hint })
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new MillraceError('request/parameter', `${text} in the query is no percent-encoded UTF-8`)
  }
}
