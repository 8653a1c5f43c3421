import type { ErrorPlace } from '../data/errors.ts'
import type { DefElem, Node } from '../sql/parse.ts'
import { nearest, refusal, unsupported } from '../sql/refuse.ts'
import { placeAt, type Source, spelling } from '../sql/source.ts'

/** What one option of a WITH clause says, and where. */
export interface Option {
  readonly text: string
  readonly place: ErrorPlace
  /** Written in quotes or as a bare name, rather than as a number. */
  readonly word: boolean
}

/**
 * Reads WITH (name = value, …).
 * @param known the options there are; each with its values, or null if it takes any text
 * @param hint for options where none are known
 * @throws MillraceError sql/definition
 */
export function readOptions(
  list: readonly Node[] | undefined,
  source: Source,
  known: Readonly<Record<string, readonly string[] | null>>,
  hint?: string,
): ReadonlyMap<string, Option> {
  const options = new Map<string, Option>()
  for (const node of list ?? []) {
    if (!('DefElem' in node)) continue
    const element = node.DefElem
    const place = placeAt(source, element.location)
    const name = `${element.defnamespace === undefined ? '' : `${element.defnamespace}.`}${element.defname ?? ''}`
    if (!Object.hasOwn(known, name)) throw unknownOption(name, Object.keys(known), place, hint)
    if (options.has(name))
      throw refusal('sql/definition', `the option ${name} is given twice`, place, 'keep one of them')
    const option = readOption(element, name, place, source)
    const values = known[name]
    if (values !== null && !values.includes(option.text)) {
      const what = `${name} can't be ${JSON.stringify(option.text)}`
      throw refusal('sql/definition', what, place, `write ${values.map((value) => `'${value}'`).join(' or ')}`)
    }
    options.set(name, option)
  }
  return options
}

function unknownOption(name: string, known: readonly string[], place: ErrorPlace, hint?: string): Error {
  const near = nearest(name, known)
  const listed = known.join(', ').replace(/, (?=\w+$)/, ' and ')
  const advice =
    near !== null ? `did you mean ${near}?` : (hint ?? `there ${known.length === 1 ? 'is' : 'are'} ${listed}`)
  return refusal('sql/definition', `there is no option ${name} here`, place, advice)
}

function readOption(element: DefElem, name: string, place: ErrorPlace, source: Source): Option {
  const { arg } = element
  if (arg === undefined) throw refusal('sql/definition', `${name} has no value`, place, `write ${name} = '…'`)
  if ('String' in arg) return { text: arg.String.sval ?? '', place, word: true }
  if ('Integer' in arg) return { text: String(arg.Integer.ival ?? 0), place, word: false }
  if ('Float' in arg) return { text: arg.Float.fval ?? '', place, word: false }
  // A bare word, which the grammar takes for the name of a type.
  if ('TypeName' in arg && arg.TypeName.typmods === undefined && arg.TypeName.arrayBounds === undefined) {
    return { text: spelling(source, arg.TypeName.location), place, word: true }
  }
  throw refusal('sql/definition', `the value of ${name} can't be read`, place, `put it in quotes: ${name} = '…'`)
}

/**
 * Refuses every part of a node that nobody here reads: what is written is understood or refused, never passed over.
 * @param refused sentences, and hints, for parts that have a name of their own
 */
export function onlyKnown(
  node: object,
  known: readonly string[],
  place: ErrorPlace,
  refused: Readonly<Record<string, readonly [what: string, hint?: string]>> = {},
): void {
  for (const key of Object.keys(node)) {
    if (known.includes(key)) continue
    const [what, hint] = Object.hasOwn(refused, key)
      ? refused[key]
      : [`a part of this definition (${key}) is not supported`]
    throw unsupported(what, place, hint)
  }
}
