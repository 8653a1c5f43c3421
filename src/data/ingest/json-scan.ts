/**
 * Strict JSON (RFC 8259) over raw UTF-8 bytes: finds where values end and refuses what is not JSON. Invalid UTF-8,
 * lone surrogates and U+0000 are refused as well, since no text column can hold them.
 *
 * The bytes are copied behind a margin of zeros. A zero byte is legal nowhere in JSON, so inner loops need no check
 * for the end, and whole words may be read beyond it.
 */

const margin = 16

/** Objects and arrays inside each other. */
export const depthLimit = 256

/** Reserved for "no position": scanning stopped at a mistake. */
export const failed = -1

export const nulText = '\\u0000, which no text may contain'
export const halfText = 'half of a surrogate pair'

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const closeArray = 0x5d
const closeObject = 0x7d

export class JsonScanner {
  bytes!: Uint8Array
  view!: DataView
  #buffer!: Buffer
  /** Where the input ends and the zeros begin. */
  end = 0
  /** What separates lines, and is therefore no white space, in NDJSON; else white space like the others. */
  lineFeed = 0x20
  /** The first mistake's position and what was wrong there. */
  errorAt = 0
  errorText = ''
  /** Go on behind an escaped NUL or half a pair, which are JSON, and only note in `unfitAt` that there was one? */
  notesUnfit = false
  /** Where the last such escape was since this was set to `failed`, and what it was. */
  unfitAt = failed
  unfitText = ''
  readonly #containers = new Uint8Array(depthLimit + 1)

  constructor() {
    this.#take(4096)
  }

  #take(size: number): void {
    const buffer = new ArrayBuffer(size)
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.#buffer = Buffer.from(buffer)
  }

  /** Takes a copy of the input; earlier positions mean nothing any more. */
  load(input: Uint8Array): void {
    this.end = 0
    this.append(input)
  }

  /** Adds input behind what is there. */
  append(input: Uint8Array): void {
    const end = this.end + input.length
    if (end + margin > this.bytes.length) {
      const kept = this.bytes.subarray(0, this.end)
      this.#take(Math.max(end + margin, this.bytes.length * 2))
      this.bytes.set(kept)
    }
    this.bytes.set(input, this.end)
    this.bytes.fill(0, end, end + margin)
    this.end = end
  }

  /** Drops everything before `at`, which becomes position 0. */
  discard(at: number): void {
    this.bytes.copyWithin(0, at, this.end + margin)
    this.end -= at
  }

  /** @returns `failed`, for the caller to return in turn */
  fail(at: number, what: string): number {
    this.errorAt = at
    this.errorText = at >= this.end ? 'the JSON ends too early' : what
    return failed
  }

  /** Did the last mistake come from the input's end? */
  get endedEarly(): boolean {
    return this.errorAt >= this.end
  }

  /** May the last mistake come from the input's end, in the middle of an escape or a character? */
  get mayContinue(): boolean {
    return this.errorAt > this.end - margin
  }

  /** @returns the first position from `at` on that is no white space */
  space(at: number): number {
    const s = this.bytes
    const lineFeed = this.lineFeed === 0x0a ? 0x20 : 0x0a
    for (;;) {
      const c = s[at]
      if (c !== 0x20 && c !== lineFeed && c !== 0x0d && c !== 0x09) return at
      at++
    }
  }

  expected(at: number, what: string): number {
    return this.fail(at, `expected ${what}, found ${this.#found(at)}`)
  }

  #found(at: number): string {
    const c = this.bytes[at]
    if (c === 0x0a) return 'the end of the line'
    if (c > 0x20 && c < 0x7f) return `'${String.fromCharCode(c)}'`
    return `byte 0x${c.toString(16).padStart(2, '0')}`
  }

  /** Checks the value that starts at `at`. @returns where it ends, or `failed` */
  skip(at: number): number {
    const s = this.bytes
    const containers = this.#containers
    let depth = 0
    for (;;) {
      // A value starts here.
      at = this.space(at)
      const c = s[at]
      if (c === 0x7b || c === 0x5b) {
        if (depth === depthLimit) return this.fail(at, `more than ${depthLimit} objects and arrays inside each other`)
        const close = c + 2
        containers[++depth] = close
        at = this.space(at + 1)
        if (s[at] === close) {
          at++
          depth--
        } else {
          if (close === closeObject && (at = this.#key(at)) < 0) return failed
          continue
        }
      } else if ((at = this.skipScalar(at)) < 0) return failed
      // A value ended here: close what ends with it, up to a comma.
      for (;;) {
        if (depth === 0) return at
        at = this.space(at)
        const next = s[at]
        if (next === comma) {
          at++
          if (containers[depth] === closeObject && (at = this.#key(this.space(at))) < 0) return failed
          break
        }
        if (next !== containers[depth]) {
          return this.expected(at, containers[depth] === closeArray ? "',' or ']'" : "',' or '}'")
        }
        at++
        depth--
      }
    }
  }

  #key(at: number): number {
    if (this.bytes[at] !== quote) return this.expected(at, 'a key in double quotes')
    at = this.skipString(at)
    return at < 0 ? failed : this.colon(at)
  }

  /** @returns the position behind the colon that must come next */
  colon(at: number): number {
    at = this.space(at)
    return this.bytes[at] === colon ? at + 1 : this.expected(at, "':'")
  }

  skipScalar(at: number): number {
    const c = this.bytes[at]
    if (c === quote) return this.skipString(at)
    if (c === 0x2d || (c >= 0x30 && c <= 0x39)) return this.skipNumber(at)
    if (c === 0x6e) return this.#word(at, 'null')
    if (c === 0x74) return this.#word(at, 'true')
    if (c === 0x66) return this.#word(at, 'false')
    return this.expected(at, 'a value')
  }

  #word(at: number, word: string): number {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[at + i] !== word.charCodeAt(i)) return this.expected(at + i, `'${word}'`)
    }
    return at + word.length
  }

  skipNumber(at: number): number {
    const s = this.bytes
    if (s[at] === 0x2d) at++
    if (s[at] === 0x30) {
      at++
      if (isDigit(s[at])) return this.fail(at, 'a number may not begin with 0 and go on')
    } else {
      if (!isDigit(s[at])) return this.expected(at, 'a digit')
      while (isDigit(s[at])) at++
    }
    if (s[at] === 0x2e) {
      at++
      if (!isDigit(s[at])) return this.expected(at, 'a digit')
      while (isDigit(s[at])) at++
    }
    if (s[at] === 0x65 || s[at] === 0x45) {
      at++
      if (s[at] === 0x2b || s[at] === 0x2d) at++
      if (!isDigit(s[at])) return this.expected(at, 'a digit')
      while (isDigit(s[at])) at++
    }
    return at
  }

  /** @param at the opening quote @returns the position behind the closing one, or `failed` */
  skipString(at: number): number {
    const s = this.bytes
    const view = this.view
    at++
    for (;;) {
      const flags = special(view.getInt32(at, true))
      if (flags === 0) {
        at += 4
        continue
      }
      at += lowest(flags)
      const c = s[at]
      if (c === quote) return at + 1
      at = c === backslash ? this.escape(at) : this.character(at)
      if (at < 0) return failed
    }
  }

  /** @param at a byte below 0x20 or from 0x80 up @returns the position behind the character */
  character(at: number): number {
    if (this.bytes[at] < 0x20) {
      const c = this.bytes[at]
      return this.fail(at, `the control character U+${hex4(c)} in a string: write it as \\u${hex4(c)}`)
    }
    const length = utf8Length(this.bytes, at)
    return length === 0 ? this.fail(at, 'invalid UTF-8') : at + length
  }

  /** Checks an escape, both halves of a surrogate pair together. @param at the backslash */
  escape(at: number): number {
    const c = this.bytes[at + 1]
    if (c !== 0x75) {
      return simpleEscapes[c] === 0 ? this.fail(at + 1, `unknown escape \\${String.fromCharCode(c)}`) : at + 2
    }
    const code = this.#hex(at + 2)
    if (code < 0) return failed
    if (code === 0) return this.#unfit(at, nulText)
    if (code < 0xd800 || code > 0xdfff) return at + 6
    if (code < 0xdc00 && this.bytes[at + 6] === backslash && this.bytes[at + 7] === 0x75) {
      const low = this.#hex(at + 8)
      if (low < 0) return failed
      if (low >= 0xdc00 && low <= 0xdfff) return at + 12
    }
    if (at + 6 >= this.end) return this.fail(this.end, '')
    return this.#unfit(at, halfText)
  }

  /** An escape that is JSON, but that no text can hold. */
  #unfit(at: number, text: string): number {
    if (!this.notesUnfit) return this.fail(at, text)
    this.unfitAt = at
    this.unfitText = text
    return at + 6
  }

  #hex(at: number): number {
    let value = 0
    for (let i = 0; i < 4; i++) {
      const digit = hexDigit(this.bytes[at + i])
      if (digit < 0) return this.expected(at + i, 'a hexadecimal digit')
      value = value * 16 + digit
    }
    return value
  }

  /**
   * Writes an escape's character as UTF-8. The escape has been checked.
   * @returns the bytes written
   */
  writeEscape(at: number, into: Uint8Array, to: number): number {
    const c = this.bytes[at + 1]
    if (c !== 0x75) {
      into[to] = simpleEscapes[c]
      return 1
    }
    let code = this.#hex(at + 2)
    // Half a pair is only noted: what is written for it goes with its event.
    const paired = code >= 0xd800 && code < 0xdc00 && this.bytes[at + 6] === backslash && this.bytes[at + 7] === 0x75
    if (paired) code = 0x10000 + ((code - 0xd800) << 10) + ((this.#hex(at + 8) - 0xdc00) & 0x3ff)
    if (code < 0x80) {
      into[to] = code
      return 1
    }
    if (code < 0x800) {
      into[to] = 0xc0 | (code >> 6)
      into[to + 1] = 0x80 | (code & 63)
      return 2
    }
    if (code < 0x10000) {
      into[to] = 0xe0 | (code >> 12)
      into[to + 1] = 0x80 | ((code >> 6) & 63)
      into[to + 2] = 0x80 | (code & 63)
      return 3
    }
    into[to] = 0xf0 | (code >> 18)
    into[to + 1] = 0x80 | ((code >> 12) & 63)
    into[to + 2] = 0x80 | ((code >> 6) & 63)
    into[to + 3] = 0x80 | (code & 63)
    return 4
  }

  /** Bytes as text. They have been checked to be UTF-8. */
  text(start: number, end: number): string {
    return this.#buffer.toString('utf8', start, end)
  }

  /** ASCII bytes as text. */
  ascii(start: number, end: number): string {
    return this.#buffer.toString('latin1', start, end)
  }

  /** A checked string's characters. @param start the opening quote @param end behind the closing one */
  string(start: number, end: number): string {
    const raw = this.text(start, end)
    return raw.includes('\\') ? JSON.parse(raw) : raw.slice(1, -1)
  }
}

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  const lower = c | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

const hex4 = (c: number): string => c.toString(16).padStart(4, '0').toUpperCase()

/** What the character behind a backslash stands for; 0 for those that may not stand there. */
const simpleEscapes = new Uint8Array(256)
for (const [name, meaning] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  simpleEscapes[name.charCodeAt(0)] = meaning.charCodeAt(0)
}

/**
 * Looks at four bytes of a string at once.
 * @returns 0, or bit 7 of each byte that is a quote, a backslash, a control character or not ASCII. Only the lowest
 * of these bits is to be trusted: borrows run upwards.
 */
export function special(word: number): number {
  return (
    (((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101) | (word - 0x20202020) | word) & 0x80808080
  )
}

/** Which of a word's four bytes the lowest flag stands for. */
export function lowest(flags: number): number {
  return (31 - Math.clz32(flags & -flags)) >>> 3
}

/** @returns the length of the character at `at`, which is not ASCII, or 0 if it is not valid UTF-8 */
export function utf8Length(s: Uint8Array, at: number): number {
  const a = s[at]
  const b = s[at + 1]
  if (a < 0xc2 || a > 0xf4 || (b & 0xc0) !== 0x80) return 0
  if (a < 0xe0) return 2
  if ((s[at + 2] & 0xc0) !== 0x80) return 0
  if (a < 0xf0) {
    // No overlong forms, no surrogates.
    if ((a === 0xe0 && b < 0xa0) || (a === 0xed && b > 0x9f)) return 0
    return 3
  }
  if ((s[at + 3] & 0xc0) !== 0x80 || (a === 0xf0 && b < 0x90) || (a === 0xf4 && b > 0x8f)) return 0
  return 4
}
