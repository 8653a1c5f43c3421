import type { TopicColumns } from './columns.ts'

const quote = 34
const newline = 10
const brace = 125

/** Writes rows as NDJSON, one flat object a line, keys in the topic's order: as a plain client would send them. */
export class NdjsonWriter {
  /** The text so far is `bytes.subarray(0, length)`. */
  bytes: Buffer
  length = 0
  readonly #keys = new Map<TopicColumns, readonly Buffer[]>()
  #day = -1
  #dayText = ''

  constructor(capacity = 1 << 20) {
    this.bytes = Buffer.allocUnsafe(capacity)
  }

  clear(): void {
    this.length = 0
  }

  /** Appends the rows from `from` to `to`. */
  write(columns: TopicColumns, from = 0, to = columns.rows): void {
    for (let row = from; row < to; row++) this.#row(columns, row)
  }

  #row(source: TopicColumns, row: number): void {
    const keys = this.#keysOf(source)
    const { columns, memory } = source
    this.#room(4096)
    const out = this.bytes
    let at = this.length
    for (let i = 0; i < columns.length; i++) {
      const key = keys[i]
      for (let k = 0; k < key.length; k++) out[at++] = key[k]
      const { data, heap } = columns[i]
      const cell = (data >>> 2) + row * 2
      const low = memory.u32[cell]
      const high = memory.u32[cell + 1]
      const { kind } = source.topic.columns[i]
      if (kind === 'bigint') {
        at = this.#number(high * 4294967296 + low, at)
      } else if (kind === 'timestamp') {
        at = this.#timestamp(high * 4294967296 + low, at)
      } else {
        out[at++] = quote
        const start = heap + low
        for (let k = start; k < start + high; k++) out[at++] = memory.u8[k]
        out[at++] = quote
      }
    }
    out[at++] = brace
    out[at++] = newline
    this.length = at
  }

  #keysOf(source: TopicColumns): readonly Buffer[] {
    let keys = this.#keys.get(source)
    if (keys === undefined) {
      keys = source.topic.columns.map(({ name }, i) => Buffer.from(`${i === 0 ? '{' : ','}"${name}":`))
      this.#keys.set(source, keys)
    }
    return keys
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + bytes))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  #number(value: number, at: number): number {
    let digits = 1
    for (let bound = 10; value >= bound; bound *= 10) digits++
    return this.#digits(value, digits, at)
  }

  #digits(value: number, digits: number, at: number): number {
    for (let i = at + digits - 1; i >= at; i--) {
      const rest = Math.floor(value / 10)
      this.bytes[i] = 48 + value - rest * 10
      value = rest
    }
    return at + digits
  }

  #timestamp(micros: number, at: number): number {
    const out = this.bytes
    const ms = Math.floor(micros / 1000)
    const day = Math.floor(ms / 86_400_000)
    if (day !== this.#day) {
      this.#day = day
      this.#dayText = `"${new Date(day * 86_400_000).toISOString().slice(0, 11)}`
    }
    for (let i = 0; i < this.#dayText.length; i++) out[at++] = this.#dayText.charCodeAt(i)
    const inDay = ms - day * 86_400_000
    const seconds = Math.floor(inDay / 1000)
    at = this.#digits(Math.floor(seconds / 3600), 2, at)
    out[at++] = 58
    at = this.#digits(Math.floor(seconds / 60) % 60, 2, at)
    out[at++] = 58
    at = this.#digits(seconds % 60, 2, at)
    out[at++] = 46
    at = this.#digits(inDay - seconds * 1000, 3, at)
    out[at++] = quote
    return at
  }
}
