import type { ParseResult } from 'libpg-query'
import { invariant } from '../data/errors.ts'
import { unsupported } from './refuse.ts'
import { placeAt, placeOfCharacter, type Source } from './source.ts'
import { fold } from './tokens.ts'

/** The longest text that is parsed. */
export const maxCharacters = 1 << 20
/** How many tokens may stand between a place and the text's start, counted as `checkNesting` says. */
const maxChain = 2000
/** How many nodes of the syntax tree may lie around a node; whoever walks a tree may recurse as deep. */
export const maxDepth = 500

const closers: Readonly<Record<string, string>> = { ')': '(', ']': '[' }

interface Level {
  /** What opened it. */
  readonly by: string
  count: number
  /** BETWEENs whose AND has not come yet. */
  betweens: number
}

/**
 * Bounds how deep the parser can recurse, before it does: it runs in WebAssembly, where an overflow of the stack
 * leaves it unusable for good. What nests deeper needs more tokens in the brackets (and CASEs) that are open at that
 * place; commas, AND, OR and the branches of a CASE put their operands side by side and begin a new count.
 */
export function checkNesting(source: Source): void {
  const { text, tokens } = source
  const open: Level[] = [{ by: '', count: 0, betweens: 0 }]
  let total = 0
  let before = ''
  for (const token of tokens) {
    const raw = token.end - token.start > 'between'.length ? '' : text.slice(token.start, token.end)
    // Behind a point every word is a name.
    const word = token.kind !== 'word' ? raw : before === '.' ? '' : fold(raw)
    before = raw
    const top = open[open.length - 1]
    if (separates(word, top, open.length)) {
      total -= top.count
      top.count = 0
    }
    top.count++
    total++
    if (total > maxChain) {
      throw unsupported(
        'a statement that nests or chains so deeply is not supported',
        placeOfCharacter(source, token.start),
        'split it up: name its parts with CREATE VIEW, or replace long chains by IN or VALUES',
      )
    }
    if (word === '(' || word === '[' || word === 'case') open.push({ by: word, count: 0, betweens: 0 })
    else if (word === ')' || word === ']') total -= close(open, closers[word])
    else if (word === 'end' && top.by === 'case') total -= close(open, 'case')
  }
}

function separates(word: string, level: Level, levels: number): boolean {
  if (word === 'between') level.betweens++
  if (word === 'and' && level.betweens > 0) {
    level.betweens--
    return false
  }
  if (word === ',') level.betweens = 0
  if (word === ',' || word === 'and' || word === 'or') return true
  if (word === ';') return levels === 1
  return level.by === 'case' && (word === 'when' || word === 'then' || word === 'else')
}

/** Closes the innermost bracket of a kind with all that is open in it. @returns the tokens that were counted there */
function close(open: Level[], by: string): number {
  let index = open.length - 1
  while (index > 0 && open[index].by !== by) index--
  if (index < 1) return 0
  return open.splice(index).reduce((sum, { count }) => sum + count, 0)
}

/** Bounds the tree itself, so that everything behind the parser may recurse over it. */
export function checkTree(tree: ParseResult, source: Source): void {
  for (const { stmt, stmt_location } of tree.stmts ?? []) {
    invariant(stmt !== undefined, 'the parser returned an empty statement')
    if (deeperThan(stmt, maxDepth)) {
      throw unsupported(
        `a statement that nests more than ${maxDepth} deep is not supported`,
        placeAt(source, stmt_location ?? 0),
        'split it up: name its parts with CREATE VIEW, or replace long chains by IN or VALUES',
      )
    }
  }
}

function deeperThan(root: unknown, most: number): boolean {
  const stack: { readonly value: unknown; readonly depth: number }[] = [{ value: root, depth: 0 }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { value, depth } = next
    if (typeof value !== 'object' || value === null) continue
    if (depth > most) return true
    if (Array.isArray(value)) for (const item of value) stack.push({ value: item, depth })
    else for (const key in value) stack.push({ value: value[key as never], depth: nests(key) ? depth + 1 : depth })
  }
  return false
}

/** A node is wrapped in an object whose key names its kind, but for the two sides of a UNION. */
function nests(key: string): boolean {
  return /^[A-Z]/.test(key) || key === 'larg' || key === 'rarg'
}
