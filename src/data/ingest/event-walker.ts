import type { ErrorCode, ErrorDetail } from '../errors.ts'
import { failed, type JsonScanner } from './json-scan.ts'
import { type Problem, pointerStep } from './row-reader.ts'
import { pointerToUnfit } from './unfit-text.ts'

/** What is wrong with one event. */
export interface EventError extends ErrorDetail {
  /** RFC 6901, from the body: `/3/price` for the fourth element or line, `/price` in a body of one object. */
  readonly pointer: string
  readonly detail: string
  readonly code: ErrorCode
  /** Element or line, from 0. */
  readonly index: number
  /** Line of NDJSON or of a file, from 1: where the event begins. Bodies of other forms are not counted. */
  readonly line?: number
}

/** What reads one event and then keeps it or gives it up. */
export interface EventReader {
  /** @returns the position behind the event, with `problems`, or `failed` where it is not JSON */
  read(at: number): number
  readonly problems: readonly Problem[]
  commit(): void
  rollback(): void
}

/** One object; an array of objects; or one object a line. */
export type BodyFormat = 'object' | 'array' | 'ndjson'

export interface WalkOptions {
  /** The most errors kept. */
  readonly maxErrors: number
  /** Of all pointers. */
  readonly prefix?: string
  /** Count an array's lines too, which costs a pass over the bytes. */
  readonly countsLines?: boolean
}

/** Bytes of a body read at a time. */
export const windowBytes = 128 * 1024

/** Goes from event to event through a scanner's bytes, which may still grow. */
export class EventWalker {
  /** The first mistakes, at most `maxErrors`. */
  readonly errors: EventError[] = []
  badEvents = 0
  /** An array or object that is not JSON: nothing in it can be believed. The walk is over. */
  malformed = false
  /** Where the walk stands in the scanner's bytes. */
  at = 0
  readonly #scanner: JsonScanner
  readonly #reader: EventReader
  readonly #format: BodyFormat
  readonly #maxErrors: number
  readonly #prefix: string
  readonly #countsLines: boolean
  #place: 'start' | 'first' | 'event' | 'separator' | 'end' = 'start'
  #index = 0
  /** Bytes and line ends dropped before the scanner's first byte; where the current line begins. */
  #dropped = 0
  #droppedLines = 0
  #lineStart = 0
  #eventAt = 0
  #eventEnd = 0

  constructor(scanner: JsonScanner, reader: EventReader, format: BodyFormat, options: WalkOptions) {
    this.#scanner = scanner
    this.#reader = reader
    this.#format = format
    this.#maxErrors = options.maxErrors
    this.#prefix = options.prefix ?? ''
    this.#countsLines = options.countsLines ?? false
    scanner.lineFeed = format === 'ndjson' ? 0x0a : 0x20
    // A text that cannot be stored makes one event bad, not the whole body.
    scanner.notesUnfit = true
  }

  #read(at: number): number {
    this.#scanner.unfitAt = failed
    this.#eventAt = at
    this.#eventEnd = this.#reader.read(at)
    return this.#eventEnd
  }

  /** Is the array closed? Its closing bracket is before `at`. */
  get closed(): boolean {
    return this.#place === 'end'
  }

  /** Reads the events that are there. @param final no more bytes will come */
  walk(final: boolean): void {
    if (this.malformed) return
    if (this.#format === 'ndjson') this.#walkLines(final)
    else if (this.#format === 'array') this.#walkArray(final)
    else if (final) this.#walkObject()
  }

  /** Reads a whole body, piece by piece: what was copied in is read while it is in the processor's cache. */
  walkAll(body: Uint8Array): void {
    const scanner = this.#scanner
    scanner.load(body.subarray(0, this.#format === 'object' ? body.length : windowBytes))
    for (let at = scanner.end; at < body.length && !this.malformed; ) {
      this.walk(false)
      this.discard()
      const piece = body.subarray(at, at + windowBytes)
      scanner.append(piece)
      at += piece.length
    }
    this.walk(true)
  }

  /** Drops the bytes that are done with from the scanner. */
  discard(): void {
    if (this.#format === 'array' && this.#countsLines) this.#droppedLines += this.#lineEnds(this.at)
    this.#scanner.discard(this.at)
    this.#dropped += this.at
    this.#lineStart -= this.at
    this.at = 0
  }

  #walkObject(): void {
    const next = this.#read(this.#scanner.space(this.at))
    if (next < 0) {
      this.#stop()
      return
    }
    if (!this.#take()) return
    this.at = next
    this.#expectEnd()
  }

  /** Nothing may follow the body. */
  #expectEnd(): void {
    this.at = this.#scanner.space(this.at)
    if (this.at < this.#scanner.end) this.#unexpected('the end')
  }

  #unexpected(wanted: string): void {
    this.#scanner.expected(this.at, wanted)
    this.#stop()
  }

  #walkArray(final: boolean): void {
    const scanner = this.#scanner
    while (this.#place !== 'end') {
      this.at = scanner.space(this.at)
      if (this.at >= scanner.end && !final) return
      const c = scanner.bytes[this.at]
      if (this.#place === 'event') {
        if (!this.#walkElement(final)) return
      } else if (this.#place === 'start') {
        if (c !== 0x5b) {
          this.#unexpected("'['")
          return
        }
        this.#place = 'first'
        this.at++
      } else if (c === 0x5d) {
        this.#place = 'end'
        this.at++
      } else if (this.#place === 'first') {
        this.#place = 'event'
      } else {
        if (c !== 0x2c) {
          this.#unexpected("',' or ']'")
          return
        }
        this.#place = 'event'
        this.at++
      }
    }
  }

  /** @returns false if the walk cannot go on, for now or for good */
  #walkElement(final: boolean): boolean {
    const scanner = this.#scanner
    const next = this.#read(this.at)
    if (!final && (next < 0 ? scanner.mayContinue : next >= scanner.end)) {
      this.#reader.rollback()
      return false
    }
    if (next < 0) {
      this.#stop()
      return false
    }
    this.#take()
    this.at = next
    this.#index++
    this.#place = 'separator'
    return true
  }

  /** What follows the array's end. */
  expectEnd(): void {
    if (!this.malformed) this.#expectEnd()
  }

  /** Enters an object of one field: `{"name": ` stands before the array. */
  open(name: string): void {
    const scanner = this.#scanner
    this.at = scanner.space(this.at)
    if (scanner.bytes[this.at] !== 0x7b) {
      this.#unexpected("'{'")
      return
    }
    this.at = scanner.space(this.at + 1)
    const end = scanner.bytes[this.at] === 0x22 ? scanner.skipString(this.at) : failed
    if (end < 0 || scanner.string(this.at, end) !== name) {
      this.#unexpected(`"${name}"`)
      return
    }
    const value = scanner.colon(end)
    if (value < 0) this.#stop()
    else this.at = value
  }

  /** Leaves the object that `open` entered; nothing may follow it. */
  close(): void {
    if (this.malformed) return
    this.at = this.#scanner.space(this.at)
    if (this.#scanner.bytes[this.at] !== 0x7d) {
      this.#unexpected("'}'")
      return
    }
    this.at++
    this.#expectEnd()
  }

  #walkLines(final: boolean): void {
    const scanner = this.#scanner
    const lastLine = final ? scanner.end : scanner.bytes.lastIndexOf(0x0a, scanner.end - 1)
    for (;;) {
      const at = scanner.space(this.at)
      this.at = at
      if (at >= scanner.end || at > lastLine) return
      if (scanner.bytes[at] === 0x0a) {
        this.at++
        this.#index++
        this.#lineStart = this.at
        continue
      }
      let next = this.#read(at)
      if (next >= 0) {
        next = scanner.space(next)
        if (next < scanner.end && scanner.bytes[next] !== 0x0a) next = scanner.expected(next, 'the end of the line')
      }
      if (next >= 0) {
        this.#take()
        this.at = next
        continue
      }
      this.#reader.rollback()
      this.#notJson('event/invalid')
      const end = scanner.bytes.indexOf(0x0a, scanner.errorAt)
      this.at = end < 0 || end > scanner.end ? scanner.end : end
    }
  }

  /** Keeps the event just read, or says what is wrong with it. */
  #take(): boolean {
    const { problems } = this.#reader
    const { unfitAt, unfitText } = this.#scanner
    if (problems.length === 0 && unfitAt === failed) {
      this.#reader.commit()
      return true
    }
    this.#reader.rollback()
    this.badEvents++
    if (problems.length === 0) {
      const pointer = pointerToUnfit(this.#scanner.text(this.#eventAt, this.#eventEnd))
      this.#report(pointer, `${unfitText} (${this.#byteOf(unfitAt)})`, 'event/invalid')
    }
    for (const { pointer, detail, code = 'event/invalid' } of problems) this.#report(pointer, detail, code)
    return false
  }

  #stop(): void {
    this.malformed = true
    this.#reader.rollback()
    this.#notJson('request/malformed')
  }

  #notJson(code: ErrorCode): void {
    const { errorAt, errorText } = this.#scanner
    this.badEvents++
    this.#report('', `not JSON: ${errorText} (${this.#byteOf(errorAt)})`, code)
  }

  #byteOf(at: number): string {
    return this.#format === 'ndjson' ? `byte ${at - this.#lineStart + 1} of the line` : `byte ${this.#dropped + at + 1}`
  }

  #report(pointer: string, detail: string, code: ErrorCode): void {
    if (this.errors.length >= this.#maxErrors) return
    const index = this.#index
    const start = this.#format === 'object' ? this.#prefix : this.#prefix + pointerStep(index)
    this.errors.push({ pointer: start + pointer, detail, code, index, ...this.#line() })
  }

  #line(): Pick<EventError, 'line'> {
    if (this.#format === 'ndjson') return { line: this.#index + 1 }
    return this.#countsLines ? { line: 1 + this.#droppedLines + this.#lineEnds(this.at) } : {}
  }

  /** Line ends before a position. */
  #lineEnds(end: number): number {
    let count = 0
    for (let at = this.#scanner.bytes.indexOf(0x0a); at >= 0 && at < end; ) {
      count++
      at = this.#scanner.bytes.indexOf(0x0a, at + 1)
    }
    return count
  }
}
