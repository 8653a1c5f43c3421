import type { ErrorPlace } from '../data/errors.ts'
import { fold, spelled, type Token, tokenize } from './tokens.ts'

/** A text of SQL with what is needed to point into it. `location`s of the syntax tree are bytes of its UTF-8. */
export interface Source {
  readonly text: string
  readonly file?: string
  /** Lines at the text's start that the user did not write; places count behind them. */
  readonly linesBefore: number
  readonly tokens: readonly Token[]
  /** Where each line begins and where its text ends, in characters. */
  readonly lines: readonly { readonly start: number; readonly end: number }[]
  /** Every character that is not ASCII, in order: where it is in characters and in bytes, and its length in bytes. */
  readonly wide: readonly { readonly character: number; readonly byte: number; readonly bytes: number }[]
}

export function sourceOf(text: string, file?: string, linesBefore = 0): Source {
  const wide: { character: number; byte: number; bytes: number }[] = []
  let extra = 0
  for (const { 0: found, index } of text.matchAll(/[^\0-\x7f]/gu)) {
    const point = found.codePointAt(0) ?? 0
    const bytes = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
    wide.push({ character: index, byte: index + extra, bytes })
    extra += bytes - found.length
  }
  return {
    text,
    linesBefore,
    tokens: tokenize(text),
    lines: linesOf(text),
    wide,
    ...(file === undefined ? {} : { file }),
  }
}

function linesOf(text: string): { readonly start: number; readonly end: number }[] {
  const lines: { start: number; end: number }[] = []
  let start = 0
  for (const { 0: ending, index } of text.matchAll(/\r\n|\r|\n/g)) {
    lines.push({ start, end: index })
    start = index + ending.length
  }
  lines.push({ start, end: text.length })
  return lines
}

/** How many items come before the first one at which `reached` holds; it holds for all behind that. */
function countBefore<T>(items: readonly T[], reached: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (reached(items[middle])) high = middle
    else low = middle + 1
  }
  return low
}

/** The character offset of a byte offset. */
export function characterAt(source: Source, byte: number): number {
  const before = countBefore(source.wide, (wide) => wide.byte >= byte)
  if (before === 0) return byte
  const last = source.wide[before - 1]
  const width = last.bytes === 4 ? 2 : 1
  return last.character + width + (byte - last.byte - last.bytes)
}

/**
 * The place of a byte offset, as the syntax tree's nodes carry them in `location`, with its line.
 * @param at what holds the text: a statement or its source
 */
export function placeAt(at: Source | { readonly source: Source }, location: number | undefined): ErrorPlace {
  const source = 'source' in at ? at.source : at
  if (location === undefined || location < 0) return source.file === undefined ? {} : { file: source.file }
  return placeOfCharacter(source, characterAt(source, location))
}

/** A longer line is generated, and no help to a reader. */
const longestLine = 500

/** The place of a character offset. Columns count characters as JavaScript does. */
export function placeOfCharacter(source: Source, character: number): ErrorPlace {
  const { text, file, lines } = source
  const number = countBefore(lines, ({ start }) => start > character)
  const { start, end } = lines[number - 1]
  return {
    ...(file === undefined ? {} : { file }),
    line: Math.max(number - source.linesBefore, 1),
    column: character - start + 1,
    ...(end - start > longestLine ? {} : { source: text.slice(start, end) }),
  }
}

/** The index of the first token that begins at or behind a character. */
export function tokenIndexAt(source: Source, character: number): number {
  return countBefore(source.tokens, (token) => token.start >= character)
}

/**
 * A name as it was written, quotes removed: the parser folds what is not quoted to lower case.
 * @param part of a dotted name that begins at `location`: 0 is its first name
 */
export function spelling(at: Source | { readonly source: Source }, location: number | undefined, part = 0): string {
  const source = 'source' in at ? at.source : at
  const first = tokenIndexAt(source, characterAt(source, location ?? 0))
  const token = source.tokens[first + part * 2]
  return token === undefined ? '' : spelled(source.text, token)
}

const clauses = new Set(
  'from where group having order limit offset fetch for union intersect except window into'.split(' '),
)

/**
 * An alias as it was written: the name that ends a SELECT item which begins at `location`.
 * @param name the alias as the parser folded it
 */
export function aliasSpelling(
  at: Source | { readonly source: Source },
  location: number | undefined,
  name: string,
): string {
  const source = 'source' in at ? at.source : at
  const { text, tokens } = source
  let depth = 0
  for (let i = tokenIndexAt(source, characterAt(source, location ?? 0)); i < tokens.length; i++) {
    const word = text.slice(tokens[i].start, tokens[i].end)
    if (word === '(' || word === '[') depth++
    else if (word === ')' || word === ']') depth--
    if (depth < 0 || (depth === 0 && (word === ',' || word === ';'))) break
    if (depth > 0 || !isName(tokens[i], text, name) || !endsItem(source, i + 1)) continue
    return spelled(text, tokens[i])
  }
  return name
}

/**
 * The names of a bracketed list such as `t (a, B)` as they were written: the first list at or behind `location` that
 * spells `names`.
 */
export function listSpelling(
  at: Source | { readonly source: Source },
  location: number | undefined,
  names: readonly string[],
): readonly string[] {
  const source = 'source' in at ? at.source : at
  const { text, tokens } = source
  for (let i = tokenIndexAt(source, characterAt(source, location ?? 0)); i < tokens.length; i++) {
    if (textOf(source, i) !== '(' || textOf(source, i + names.length * 2) !== ')') continue
    const listed = names.map((_, k) => tokens[i + 1 + k * 2])
    if (names.every((name, k) => isName(listed[k], text, name))) return listed.map((token) => spelled(text, token))
  }
  return names
}

function isName(token: Token, text: string, name: string): boolean {
  const spelt = spelled(text, token)
  return token.kind === 'quoted' ? spelt === name : token.kind === 'word' && fold(spelt) === name
}

function endsItem(source: Source, index: number): boolean {
  const token = source.tokens[index]
  if (token === undefined) return true
  const word = textOf(source, index)
  return word === ',' || word === ')' || word === ';' || (token.kind === 'word' && clauses.has(fold(word)))
}

/** The text of a token, or '' where there is none. */
export function textOf(source: Source, index: number): string {
  const token = source.tokens[index]
  return token === undefined ? '' : source.text.slice(token.start, token.end)
}
