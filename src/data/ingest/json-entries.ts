import type { ErrorPlace } from '../errors.ts'
import { JsonScanner } from './json-scan.ts'

/** Members of an object or elements of an array that has been checked: key, start, end. */
export function* jsonEntries(
  scanner: JsonScanner,
  start: number,
  keyed: boolean,
): Generator<[key: string, start: number, end: number]> {
  const close = keyed ? 0x7d : 0x5d
  let at = scanner.space(start + 1)
  while (scanner.bytes[at] !== close) {
    let key = ''
    if (keyed) {
      const keyEnd = scanner.skipString(at)
      key = scanner.string(at, keyEnd)
      at = scanner.space(scanner.colon(keyEnd))
    }
    const end = scanner.skip(at)
    yield [key, at, end]
    at = scanner.space(end)
    if (scanner.bytes[at] === 0x2c) at = scanner.space(at + 1)
  }
}

/**
 * Where in a text of JSON a value is, or what should hold it where it is not there.
 * @param path names of members and numbers of elements
 */
export function jsonPlace(text: string, path: readonly (string | number)[]): ErrorPlace {
  const scanner = new JsonScanner()
  scanner.load(new TextEncoder().encode(text))
  let at = scanner.space(0)
  for (const step of path) {
    const keyed = scanner.bytes[at] === 0x7b
    if (!keyed && scanner.bytes[at] !== 0x5b) break
    const found = [...jsonEntries(scanner, at, keyed)].find(([key], i) => (keyed ? key === step : i === step))
    if (found === undefined) break
    at = found[1]
  }
  return placeAt(scanner, at)
}

/** The first mistake of what is no JSON; null where it is. */
export function jsonMistake(text: string): { readonly why: string; readonly place: ErrorPlace } | null {
  const scanner = new JsonScanner()
  scanner.load(new TextEncoder().encode(text))
  const end = scanner.skip(scanner.space(0))
  if (end < 0) return { why: scanner.errorText, place: placeAt(scanner, scanner.errorAt) }
  const rest = scanner.space(end)
  return rest < scanner.end ? { why: 'something follows its end', place: placeAt(scanner, rest) } : null
}

function placeAt({ bytes, end }: JsonScanner, at: number): ErrorPlace {
  const decoder = new TextDecoder()
  const before = decoder.decode(bytes.subarray(0, at)).split('\n')
  const source = decoder.decode(bytes.subarray(0, end)).split('\n')[before.length - 1]
  return { line: before.length, column: before[before.length - 1].length + 1, source }
}
