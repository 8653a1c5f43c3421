import { type Decimal, decimalZero, makeDecimal, powerOfTen } from '../data/decimal.ts'
import {
  decodeDecimal,
  encodeDecimal,
  readSmallDecimal,
  smallBytesMax,
  writeSmallDecimal,
} from '../data/decimal-bytes.ts'
import { Bug } from '../data/errors.ts'
import { decodeInterval, encodeInterval, type Interval } from '../data/interval.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'

/** Bytes ↔ strings over a whole memory; Node's own methods, which its public types leave out. */
interface StringBuffer {
  utf8Slice(start: number, end: number): string
  utf8Write(text: string, offset: number, length: number): number
}

/** What a helper says besides its result: a NULL or an error. Shared by all kernels; each takes it at once. */
export const fault = { state: 0 }

const zeroInterval: Interval = { months: 0, days: 0, micros: 0n }

/** Bytes kept free before each row, so that only long values need a second look. */
export const roomBytes = 64

/**
 * What compiled kernels work with: views of one engine's memory, a stretch of the arena for bytes that results are
 * made of, and what a run reports back. Bytes are addressed absolutely, so that results may point into their inputs.
 */
export class Runtime {
  u8!: Uint8Array
  i32!: Int32Array
  u32!: Uint32Array
  f64!: Float64Array
  i64!: BigInt64Array
  readonly fault = fault
  /** The tick's time in microseconds. */
  now = 0n
  /** Set where a safe kernel met a value that a double can't hold. */
  unsafe = false
  /** All states written, or-ed. */
  flags = 0
  /** Rows that a filter kept. */
  kept = 0
  /** Length of what was put last; its address is the result of the call. */
  length = 0
  readonly errors: { readonly row: number; readonly code: number }[] = []
  #strings!: StringBuffer
  #next = 0
  #end = 0
  /** What the value that found no room asked for. */
  #wanted = 0

  /** Takes the memory's views anew; addresses handed out stay good. */
  attach(memory: LinearMemory): void {
    if (this.u8 !== memory.u8) {
      this.#strings = Buffer.from(memory.u8.buffer as ArrayBuffer) as unknown as StringBuffer
    }
    this.u8 = memory.u8
    this.i32 = memory.i32
    this.u32 = memory.u32
    this.f64 = memory.f64
    this.i64 = memory.i64
  }

  begin(memory: LinearMemory, now: bigint): void {
    this.attach(memory)
    this.now = now
    this.kept = 0
    this.#next = 0
    this.#end = 0
    this.#wanted = 0
    this.errors.length = 0
  }

  /** Gives bytes a new stretch of the arena, big enough for what found no room. */
  open(arena: Arena, estimate: number): void {
    // Twice what the last value wanted: a row that puts several values gets further each time.
    const bytes = Math.max(estimate, this.#wanted * 2, roomBytes * 2)
    this.#wanted = bytes > 1 << 30 ? this.#wanted : Math.max(this.#wanted, bytes)
    this.#next = arena.allocate(bytes)
    this.#end = this.#next + bytes
    this.attach(arena.memory)
  }

  report(row: number, code: number): void {
    this.errors.push({ row, code })
  }

  /** Reserves bytes. @returns their address, −1 if there is no room */
  reserve(bytes: number): number {
    const address = this.#next
    if (address + bytes > this.#end) {
      this.#wanted = Math.max(this.#wanted, bytes)
      return -1
    }
    this.#next = address + bytes
    this.length = bytes
    return address
  }

  putString(text: string): number {
    const most = text.length * 3
    const address = this.#next
    if (address + most > this.#end) {
      this.#wanted = Math.max(this.#wanted, most)
      return -1
    }
    const { u8 } = this
    let at = address
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127 || i > 48) {
        at = address + this.#strings.utf8Write(text, address, most)
        break
      }
      u8[at++] = code
    }
    this.length = at - address
    this.#next = at
    return address
  }

  /** Length of what was put or cut out last. */
  lastLength(): number {
    return this.length
  }

  putBytes(bytes: Uint8Array): number {
    const address = this.reserve(bytes.length)
    if (address >= 0) this.u8.set(bytes, address)
    return address
  }

  /** A safe integer × 10^−scale as a numeric. */
  putSmall(value: number, scale: number): number {
    const address = this.#next
    if (address + smallBytesMax > this.#end) {
      this.#wanted = Math.max(this.#wanted, smallBytesMax)
      return -1
    }
    this.#next = writeSmallDecimal(this.u8, address, value, scale)
    this.length = this.#next - address
    return address
  }

  putScaled(coefficient: bigint, scale: number): number {
    return this.putBytes(encodeDecimal(makeDecimal(coefficient, scale)))
  }

  putDecimal(value: Decimal): number {
    return this.putBytes(encodeDecimal(value))
  }

  putInterval(value: Interval): number {
    return this.putBytes(encodeInterval(value))
  }

  string(address: number, length: number): string {
    return this.#strings.utf8Slice(address, address + length)
  }

  octets(address: number, length: number): Uint8Array {
    return this.u8.slice(address, address + length)
  }

  /** A numeric's coefficient at its column's scale, NaN if a double can't hold it. A NULL's slot is empty: 0. */
  small(address: number, length: number, scale: number): number {
    return length === 0 ? 0 : readSmallDecimal(this.u8, address, length, scale)
  }

  scaled(address: number, length: number, scale: number): bigint {
    if (length === 0) return 0n
    const value = decodeDecimal(this.u8, address, length)
    if (value.special !== '' || value.scale > scale) throw new Bug(`a numeric that isn't of scale ${scale}`)
    return value.coefficient * powerOfTen(scale - value.scale)
  }

  decimal(address: number, length: number): Decimal {
    return length === 0 ? decimalZero : decodeDecimal(this.u8, address, length)
  }

  interval(address: number, length: number): Interval {
    return length === 0 ? zeroInterval : decodeInterval(this.u8, address)
  }

  equalBytes(a: number, aLength: number, b: number, bLength: number): boolean {
    if (aLength !== bLength) return false
    const { u8 } = this
    for (let i = 0; i < aLength; i++) if (u8[a + i] !== u8[b + i]) return false
    return true
  }

  /** Negative, zero or positive, byte by byte: PostgreSQL's collation "C". */
  compareBytes(a: number, aLength: number, b: number, bLength: number): number {
    const { u8 } = this
    const shorter = aLength < bLength ? aLength : bLength
    for (let i = 0; i < shorter; i++) if (u8[a + i] !== u8[b + i]) return u8[a + i] - u8[b + i]
    return aLength - bLength
  }

  startsWith(a: number, aLength: number, b: number, bLength: number): boolean {
    return aLength >= bLength && this.equalBytes(a, bLength, b, bLength)
  }

  endsWith(a: number, aLength: number, b: number, bLength: number): boolean {
    return aLength >= bLength && this.equalBytes(a + aLength - bLength, bLength, b, bLength)
  }

  contains(a: number, aLength: number, b: number, bLength: number): boolean {
    if (bLength === 0) return true
    const { u8 } = this
    const first = u8[b]
    for (let i = a, last = a + aLength - bLength; i <= last; i++) {
      if (u8[i] === first && this.equalBytes(i, bLength, b, bLength)) return true
    }
    return false
  }

  /** LIKE with several literal parts: the first and last at their ends unless open there, the others in order. */
  likeParts(
    address: number,
    length: number,
    pattern: { readonly parts: readonly Uint8Array[]; readonly start: boolean; readonly end: boolean },
  ): boolean {
    const { parts } = pattern
    let at = address
    let end = address + length
    let from = 0
    let to = parts.length
    if (!pattern.start) {
      if (!this.#lies(at, end, parts[from])) return false
      at += parts[from++].length
    }
    if (!pattern.end) {
      const last = parts[--to]
      if (!this.#lies(end - last.length, end, last) || end - last.length < at) return false
      end -= last.length
    }
    for (; from < to; from++) {
      const part = parts[from]
      while (at + part.length <= end && !this.#lies(at, end, part)) at++
      if (at + part.length > end) return false
      at += part.length
    }
    return true
  }

  #lies(at: number, end: number, part: Uint8Array): boolean {
    if (at < 0 || at + part.length > end) return false
    for (let i = 0; i < part.length; i++) if (this.u8[at + i] !== part[i]) return false
    return true
  }

  /** Code points of UTF-8 text: the bytes that don't go on with one. */
  countCharacters(address: number, length: number): number {
    const { u8 } = this
    let count = 0
    for (let i = address, end = address + length; i < end; i++) if ((u8[i] & 0xc0) !== 0x80) count++
    return count
  }

  /** The address at which the `n`th character (from 0) begins, or the end. */
  characterAt(address: number, end: number, n: number): number {
    const { u8 } = this
    let at = address
    for (let left = n; left > 0 && at < end; left--) {
      at++
      while (at < end && (u8[at] & 0xc0) === 0x80) at++
    }
    return at
  }

  /** substring over UTF-8 in place; positions count from 1. @returns the address, the length is in `length` */
  substring(address: number, length: number, from: number, count: number): number {
    const end = address + length
    const first = from > 1 ? from : 1
    const last = from + count
    const start = this.characterAt(address, end, first - 1)
    const stop = last <= first ? start : this.characterAt(start, end, last - first)
    this.length = stop - start
    return start
  }

  /** The same over bytes. */
  subbytes(address: number, length: number, from: number, count: number): number {
    const start = Math.min(Math.max(from - 1, 0), length)
    const stop = Math.min(Math.max(from - 1 + count, start), length)
    this.length = stop - start
    return address + start
  }

  /** The first `n` characters, or all but the last −n. */
  left(address: number, length: number, n: number): number {
    const kept = n >= 0 ? n : this.countCharacters(address, length) + n
    this.length = this.characterAt(address, address + length, kept) - address
    return address
  }

  /** The last `n` characters, or all but the first −n. */
  right(address: number, length: number, n: number): number {
    // PostgreSQL cannot negate the least integer, and drops nothing.
    const dropped = n === -2147483648 ? 0 : n < 0 ? -n : this.countCharacters(address, length) - n
    const start = this.characterAt(address, address + length, dropped)
    this.length = address + length - start
    return start
  }

  trimSpaces(address: number, length: number, left: boolean, right: boolean): number {
    const { u8 } = this
    let start = address
    let end = address + length
    if (left) while (start < end && u8[start] === 0x20) start++
    if (right) while (end > start && u8[end - 1] === 0x20) end--
    this.length = end - start
    return start
  }
}

/** Byte order of UTF-8, which is the order of code points and not that of JavaScript's strings. */
export function compareStrings(a: string, b: string): number {
  const shorter = a.length < b.length ? a.length : b.length
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) {
      const wide = left >= 0xd800 && left <= 0xdfff
      if (wide !== (right >= 0xd800 && right <= 0xdfff)) return wide ? 1 : -1
      return left - right
    }
  }
  return a.length - b.length
}

/** Of two states, the one that a strict function's result has: the least error, else NULL, else none. */
export function mergeStates(a: number, b: number): number {
  if (a <= 1 || b <= 1) return a > b ? a : b
  return a < b ? a : b
}
