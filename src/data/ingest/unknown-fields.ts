import type { JsonScanner } from './json-scan.ts'

/** Up to so many keys are compared one by one; beyond, in a set. */
const fewKeys = 16

/** The fields of one event that are no columns, kept as the JSON text of an object, as they were written. */
export class UnknownFields {
  /** UTF-8; the object's text is the first `length` bytes once `close` was called. */
  bytes: Uint8Array = new Uint8Array(256)
  length = 0
  readonly #scanner: JsonScanner
  /** Start and end of each key, with its quotes. */
  readonly #keys: number[] = []
  #names: Set<string> | null = null

  constructor(scanner: JsonScanner) {
    this.#scanner = scanner
  }

  clear(): void {
    if (this.length === 0) return
    this.length = 0
    this.#keys.length = 0
    this.#names = null
  }

  /** @returns whether the key is new */
  add(keyStart: number, keyEnd: number, start: number, end: number): boolean {
    const isNew = this.#remember(keyStart, keyEnd)
    const from = this.#scanner.bytes
    const key = keyEnd - keyStart
    this.#reserve(this.length + key + (end - start) + 3)
    let to = this.length
    this.bytes[to++] = this.length === 0 ? 0x7b : 0x2c
    this.bytes.set(from.subarray(keyStart, keyEnd), to)
    to += key
    this.bytes[to++] = 0x3a
    this.bytes.set(from.subarray(start, end), to)
    this.length = to + end - start
    return isNew
  }

  close(): void {
    this.bytes[this.length++] = 0x7d
  }

  #reserve(needed: number): void {
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(needed * 2)
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  #remember(start: number, end: number): boolean {
    const keys = this.#keys
    const scanner = this.#scanner
    let isNew = true
    if (keys.length < fewKeys * 2) {
      for (let i = 0; i < keys.length && isNew; i += 2) isNew = !this.#same(keys[i], keys[i + 1], start, end)
    } else {
      if (this.#names === null) {
        this.#names = new Set()
        for (let i = 0; i < keys.length; i += 2) this.#names.add(scanner.string(keys[i], keys[i + 1]))
      }
      const name = scanner.string(start, end)
      isNew = !this.#names.has(name)
      this.#names.add(name)
    }
    keys.push(start, end)
    return isNew
  }

  #same(aStart: number, aEnd: number, bStart: number, bEnd: number): boolean {
    const s = this.#scanner.bytes
    if (this.#hasEscape(aStart, aEnd) || this.#hasEscape(bStart, bEnd)) {
      return this.#scanner.string(aStart, aEnd) === this.#scanner.string(bStart, bEnd)
    }
    if (aEnd - aStart !== bEnd - bStart) return false
    for (let i = 0; i < aEnd - aStart; i++) if (s[aStart + i] !== s[bStart + i]) return false
    return true
  }

  #hasEscape(start: number, end: number): boolean {
    for (let i = start; i < end; i++) if (this.#scanner.bytes[i] === 0x5c) return true
    return false
  }
}
