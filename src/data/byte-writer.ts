/** Bytes under construction in one growing buffer. */
export class ByteWriter {
  /** Reserve before writing here directly. */
  bytes: Uint8Array
  length = 0

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity)
  }

  /** Makes room for `extra` bytes at `length`. */
  reserve(extra: number): void {
    const needed = this.length + extra
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** Text of ASCII characters only. */
  ascii(text: string): void {
    this.reserve(text.length)
    const { bytes, length } = this
    for (let i = 0; i < text.length; i++) bytes[length + i] = text.charCodeAt(i)
    this.length = length + text.length
  }

  text(text: string): void {
    this.reserve(text.length * 3)
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written
  }

  copy(from: Uint8Array, start: number, end: number): void {
    const count = end - start
    this.reserve(count)
    const { bytes, length } = this
    if (count < 32) for (let i = 0; i < count; i++) bytes[length + i] = from[start + i]
    else bytes.set(from.subarray(start, end), length)
    this.length = length + count
  }

  /** An integer that a double holds exactly, in decimal digits. */
  integer(value: number): void {
    if (value < 0) {
      this.byte(0x2d)
      value = -value
    }
    if (value > 0x7fffffff) {
      const high = Math.floor(value / 1e9)
      this.integer(high)
      this.digits(value - high * 1e9, 9)
      return
    }
    let count = 1
    for (let limit = 10; value >= limit && count < 10; limit *= 10) count++
    this.digits(value, count)
  }

  /** An integer that a double holds exactly × 10^−scale, with `scale` digits, up to 18, behind the point. */
  decimal(value: number, scale: number): void {
    if (scale === 0) {
      this.integer(value)
      return
    }
    if (value < 0) {
      this.byte(0x2d)
      value = -value
    }
    const unit = tens[scale]
    let whole = Math.floor(value / unit)
    // The quotient may have been rounded up to the next integer.
    if (whole * unit > value) whole--
    this.integer(whole)
    this.byte(0x2e)
    const fraction = value - whole * unit
    if (scale <= 9) {
      this.digits(fraction, scale)
      return
    }
    const high = Math.floor(fraction / 1e9)
    this.digits(high, scale - 9)
    this.digits(fraction - high * 1e9, 9)
  }

  /** The last `count` digits of an integer below 2^31, with zeros before it. */
  digits(value: number, count: number): void {
    this.reserve(count)
    const { bytes } = this
    let rest = value | 0
    for (let at = this.length + count - 1; at >= this.length; at--) {
      const next = (rest / 10) | 0
      bytes[at] = 0x30 + rest - next * 10
      rest = next
    }
    this.length += count
  }

  /** What was written so far, copied; the writer is empty afterwards. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.length)
    this.length = 0
    return taken
  }

  /** What was written so far as text; the writer is empty afterwards. */
  takeText(): string {
    const text = decoder.decode(this.bytes.subarray(0, this.length))
    this.length = 0
    return text
  }
}

const tens = Array.from({ length: 19 }, (_, i) => Number(`1e${i}`))

const encoder = new TextEncoder()
const decoder = new TextDecoder()
