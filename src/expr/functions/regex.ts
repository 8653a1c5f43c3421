/**
 * PostgreSQL's regular expressions (AREs) in JavaScript's. Both find a match at the same leftmost place, so that asking
 * whether there is one is the same question. What is matched differs: PostgreSQL takes the longest match, JavaScript
 * the first that its order of trying finds. Patterns whose match is cut out or replaced are therefore taken only if
 * both must agree.
 */

export interface Regex {
  readonly source: string
  readonly flags: string
  /** Must JavaScript's match be PostgreSQL's? */
  readonly certain: boolean
  readonly groups: number
}

/** Why a pattern isn't taken. */
export class RegexProblem extends Error {
  readonly kind: 'invalid' | 'unsupported'

  constructor(kind: 'invalid' | 'unsupported', message: string) {
    super(message)
    this.kind = kind
  }
}

const wordSet = String.raw`\p{L}\p{N}_`
const spaceSet = String.raw`\t-\r \u0085\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000`

const shorthands: Readonly<Record<string, string>> = {
  d: '[0-9]',
  D: '[^0-9]',
  w: `[${wordSet}]`,
  W: `[^${wordSet}]`,
  s: `[${spaceSet}]`,
  S: `[^${spaceSet}]`,
}

const boundary = `(?:(?<=[${wordSet}])(?![${wordSet}])|(?<![${wordSet}])(?=[${wordSet}]))`
const constraints: Readonly<Record<string, string>> = {
  y: boundary,
  Y: `(?!${boundary})`,
  m: `(?<![${wordSet}])(?=[${wordSet}])`,
  M: `(?<=[${wordSet}])(?![${wordSet}])`,
  A: '^',
  Z: '$',
}

const controls: Readonly<Record<string, string>> = {
  a: '\\x07',
  b: '\\x08',
  B: '\\\\',
  e: '\\x1b',
  f: '\\f',
  n: '\\n',
  r: '\\r',
  t: '\\t',
  v: '\\v',
}

const classes: Readonly<Record<string, string>> = {
  alnum: String.raw`\p{L}\p{N}`,
  alpha: String.raw`\p{L}`,
  blank: String.raw` \t`,
  digit: '0-9',
  lower: String.raw`\p{Ll}`,
  space: spaceSet,
  upper: String.raw`\p{Lu}`,
  word: wordSet,
  xdigit: '0-9A-Fa-f',
}

/** A piece of a pattern that takes characters: which, and how many times. */
interface Atom {
  readonly set: string
  min: number
  max: number
}

/** Options that PostgreSQL has beside those that are known here. */
const otherFlags = 'bemnpqstwx'

/**
 * @param flags options of a regular expression, as PostgreSQL's functions take them
 * @param global is `g` one of them? Only for who replaces or lists more than one match.
 * @returns whether case does not matter
 * @throws RegexProblem
 */
export function readFlags(flags: string, global: boolean): boolean {
  let insensitive = false
  for (const flag of flags) {
    if (flag === 'i') insensitive = true
    else if (flag === 'c') insensitive = false
    else if (otherFlags.includes(flag)) {
      throw new RegexProblem('unsupported', `the regular expression option "${flag}"`)
    } else if (flag !== 'g' || !global) throw new RegexProblem('invalid', `there is no option "${flag}" here`)
  }
  return insensitive
}

/**
 * @param flags as `readFlags` takes them
 * @throws RegexProblem
 */
export function translateRegex(pattern: string, flags: string): Regex {
  let insensitive = readFlags(flags, true)
  if (pattern.startsWith('***')) throw new RegexProblem('unsupported', 'a regular expression that begins with ***')
  let rest = pattern
  const embedded = /^\(\?([a-z]+)\)/.exec(pattern)
  if (embedded !== null) {
    for (const flag of embedded[1]) {
      if (flag !== 'i' && flag !== 'c') throw new RegexProblem('unsupported', `the embedded option (?${embedded[1]})`)
      insensitive = flag === 'i'
    }
    rest = pattern.slice(embedded[0].length)
  }
  const translator = new Translator(rest)
  const source = translator.translate()
  const { atoms, groups } = translator
  try {
    new RegExp(source, 'su')
  } catch {
    throw new RegexProblem('invalid', `the regular expression "${pattern}"`)
  }
  return { source, flags: insensitive ? 'siu' : 'su', certain: atoms !== null && isCertain(atoms), groups }
}

class Translator {
  /** Null once something was met that makes the length of a match uncertain. */
  atoms: Atom[] | null = []
  groups = 0
  readonly #text: string
  #at = 0
  #out = ''
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  translate(): string {
    // Of what may be repeated: the last thing put out, and whether that was a group.
    let last: 'none' | 'atom' | 'group' = 'none'
    while (this.#at < this.#text.length) {
      const c = String.fromCodePoint(this.#text.codePointAt(this.#at)!)
      this.#at += c.length
      switch (c) {
        case '(':
          last = this.#open()
          break
        case ')':
          if (this.#depth === 0) throw new RegexProblem('invalid', 'parentheses that do not balance')
          this.#depth--
          this.#out += ')'
          last = 'group'
          break
        case '|':
          this.atoms = null
          this.#out += '|'
          last = 'none'
          break
        case '^':
        case '$':
          this.#out += c
          last = 'none'
          break
        case '*':
        case '+':
        case '?':
          last = this.#quantify(c, last)
          break
        case '{':
          last = /^\d/.test(this.#text.slice(this.#at)) ? this.#bound(last) : this.#atom('\\{')
          break
        case '[':
          last = this.#atom(this.#bracket())
          break
        case '\\':
          last = this.#escape()
          break
        case '.':
          last = this.#atom('[^]')
          break
        default:
          last = this.#atom(escapeCharacter(c))
      }
    }
    if (this.#depth > 0) throw new RegexProblem('invalid', 'parentheses that do not balance')
    return this.#out.replaceAll('[^]', '.')
  }

  #atom(set: string): 'atom' {
    this.#out += set
    this.atoms?.push({ set, min: 1, max: 1 })
    return 'atom'
  }

  #open(): 'none' {
    this.#depth++
    const special = /^\?(?::|=|!|<=|<!)/.exec(this.#text.slice(this.#at))
    if (special === null) {
      if (this.#text[this.#at] === '?') throw new RegexProblem('invalid', 'an option inside a regular expression')
      this.groups++
      this.#out += '('
      return 'none'
    }
    if (special[0] !== '?:') this.atoms = null
    this.#out += `(${special[0]}`
    this.#at += special[0].length
    return 'none'
  }

  #quantify(quantifier: string, last: 'none' | 'atom' | 'group'): 'none' {
    if (last === 'none') throw new RegexProblem('invalid', 'a quantifier with nothing to repeat')
    const [min, max] = quantifier === '?' ? [0, 1] : [quantifier === '*' ? 0 : 1, Number.POSITIVE_INFINITY]
    this.#out += quantifier
    return this.#repeat(min, max, last)
  }

  #bound(last: 'none' | 'atom' | 'group'): 'none' {
    const match = /^(\d+)(,(\d*))?\}/.exec(this.#text.slice(this.#at))
    if (match === null || last === 'none') throw new RegexProblem('invalid', 'a quantifier')
    this.#at += match[0].length
    const min = Number(match[1])
    const max = match[2] === undefined ? min : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3])
    if (min > 255 || (max > 255 && max !== Number.POSITIVE_INFINITY) || min > max) {
      throw new RegexProblem('invalid', 'a quantifier out of bounds')
    }
    this.#out += `{${match[0]}`
    return this.#repeat(min, max, last)
  }

  #repeat(min: number, max: number, last: 'atom' | 'group'): 'none' {
    if (this.#text[this.#at] === '?') {
      this.#out += '?'
      this.#at++
      this.atoms = null
    }
    if (last === 'group') this.atoms = null
    const atom = this.atoms?.at(-1)
    if (atom !== undefined) Object.assign(atom, { min, max })
    return 'none'
  }

  #escape(): 'atom' | 'none' {
    const c = this.#text[this.#at++]
    if (c === undefined) throw new RegexProblem('invalid', 'an escape at the end')
    if (shorthands[c] !== undefined) return this.#atom(shorthands[c])
    if (constraints[c] !== undefined) {
      this.#out += constraints[c]
      return 'none'
    }
    return this.#atom(this.#character(c))
  }

  /** A character behind a backslash that stands for itself or for a control character. */
  #character(c: string): string {
    if (controls[c] !== undefined) return controls[c]
    if (/[1-9]/.test(c)) throw new RegexProblem('unsupported', 'a back reference in a regular expression')
    if (/[0a-zA-Z]/.test(c)) throw new RegexProblem('unsupported', `the escape \\${c} in a regular expression`)
    const high = this.#text.codePointAt(this.#at - 1)!
    if (high > 0xffff) this.#at++
    return escapeCharacter(String.fromCodePoint(high))
  }

  #bracket(): string {
    let out = '['
    if (this.#text[this.#at] === '^') {
      out += '^'
      this.#at++
    }
    for (let first = true; ; first = false) {
      const c = this.#text.codePointAt(this.#at)
      if (c === undefined) throw new RegexProblem('invalid', 'a bracket that is not closed')
      const character = String.fromCodePoint(c)
      this.#at += character.length
      if (character === ']' && !first) return `${out}]`
      if (character === '[' && /^[:.=]/.test(this.#text.slice(this.#at))) out += this.#class()
      else if (character === '\\') out += this.#bracketEscape()
      else if (character === '-' && !first && this.#text[this.#at] !== ']') out += '-'
      else out += escapeCharacter(character)
    }
  }

  #class(): string {
    const match = /^:([a-z]+):\]/.exec(this.#text.slice(this.#at))
    const set = match === null ? undefined : classes[match[1]]
    if (match === null || set === undefined) {
      throw new RegexProblem('unsupported', `the class [${this.#text.slice(this.#at, this.#at + 10)} in a bracket`)
    }
    this.#at += match[0].length
    return set
  }

  #bracketEscape(): string {
    const c = this.#text[this.#at++]
    if (c === undefined) throw new RegexProblem('invalid', 'an escape at the end')
    const shorthand = shorthands[c]
    if (shorthand === undefined) return this.#character(c)
    if (shorthand.startsWith('[^')) throw new RegexProblem('unsupported', `\\${c} in a bracket`)
    return shorthand.slice(1, -1)
  }
}

function escapeCharacter(c: string): string {
  return /[\^$\\.*+?()[\]{}|/-]/.test(c) ? `\\${c === '-' ? 'x2d' : c}` : c
}

/**
 * Greedy means longest where no repetition can take a character that what follows needs, unless all that follows has
 * one length only.
 */
function isCertain(atoms: readonly Atom[]): boolean {
  return atoms.every((atom, i) => {
    if (atom.min === atom.max) return true
    const after = atoms.slice(i + 1)
    if (after.every(({ min, max }) => min === max)) return true
    for (const next of after) {
      if (overlap(atom.set, next.set)) return false
      if (next.min > 0) return true
    }
    return true
  })
}

function overlap(a: string, b: string): boolean {
  const [left, right] = [a, b].map((set) => new RegExp(`^(?:${set === '[^]' ? '.' : set})$`, 'siu'))
  for (let code = 0; code < 0x3000; code++) {
    const c = String.fromCharCode(code)
    if (left.test(c) && right.test(c)) return true
  }
  return false
}
