import { align8 } from '../../data/memory.ts'
/**
 * Encodings of whole numbers that a double holds exactly: every value of lane i32, and of lane i64 as long as it is
 * below 2^53. Little-endian; a prefix of 24 bytes, then what is packed:
 *
 *     f64 base · f64 step · u32 width · u32 count
 *
 * - constant: every value is `base`.
 * - offset: value = base + a number of `width` bytes (frame of reference).
 * - delta: the first value is `base`, each next one = the one before + step + a number of `width` bytes.
 * - runs: `count` values of f64, then as many u32 that say how often each stands there.
 */
export const integerEncoding = { raw: 0, constant: 1, offset: 2, delta: 3, runs: 4 } as const

const prefixBytes = 24

/** Packed numbers are read by typed arrays: what follows them is aligned again. */

export interface EncodedIntegers {
  readonly encoding: number
  /** Empty for `raw`: the caller has the bytes. */
  readonly bytes: Uint8Array
}

const raw: EncodedIntegers = { encoding: integerEncoding.raw, bytes: new Uint8Array(0) }

interface Shape {
  min: number
  max: number
  minStep: number
  maxStep: number
  runs: number
}

function shapeOf(values: Float64Array, rows: number): Shape {
  let before = values[0]
  let [min, max, minStep, maxStep, runs] = [before, before, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1]
  for (let i = 1; i < rows; i++) {
    const value = values[i]
    const step = value - before
    if (value < min) min = value
    else if (value > max) max = value
    if (step < minStep) minStep = step
    if (step > maxStep) maxStep = step
    if (step !== 0) runs++
    before = value
  }
  return { min, max, minStep, maxStep, runs }
}

/** @returns the bytes that numbers from 0 to `range` take, or 8 where that is no gain */
function widthOf(range: number): 1 | 2 | 4 | 8 {
  return range < 256 ? 1 : range < 65536 ? 2 : range < 4294967296 ? 4 : 8
}

/**
 * Picks the smallest form. A form that costs more to read must be clearly smaller.
 * @param values whole numbers that doubles hold exactly
 * @param cellBytes what a value takes as it is: 4 or 8
 */
export function encodeIntegers(values: Float64Array, rows: number, cellBytes: 4 | 8): EncodedIntegers {
  if (rows === 0) return raw
  const { min, max, minStep, maxStep, runs } = shapeOf(values, rows)
  if (min === max) return constant(min)
  const width = widthOf(max - min)
  const stepWidth = widthOf(maxStep - minStep)
  let best: 'raw' | 'offset' | 'delta' | 'runs' = 'raw'
  let bytes = rows * cellBytes
  if (width < cellBytes) {
    best = 'offset'
    bytes = rows * width
  }
  if (stepWidth < cellBytes && rows * stepWidth < bytes * 0.8) {
    best = 'delta'
    bytes = rows * stepWidth
  }
  if (runs * 12 < bytes * 0.5) best = 'runs'
  if (best === 'raw') return raw
  if (best === 'runs') return encodeRuns(values, rows, runs)
  return best === 'offset' ? encodeOffsets(values, rows, min, width) : encodeSteps(values, rows, minStep, stepWidth)
}

function begin(packedBytes: number, base: number, step: number, width: number, count: number): Uint8Array {
  const bytes = new Uint8Array(prefixBytes + align8(packedBytes))
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, base, true)
  view.setFloat64(8, step, true)
  view.setUint32(16, width, true)
  view.setUint32(20, count, true)
  return bytes
}

function constant(value: number): EncodedIntegers {
  return { encoding: integerEncoding.constant, bytes: begin(0, value, 0, 0, 0) }
}

function encodeOffsets(values: Float64Array, rows: number, min: number, width: number): EncodedIntegers {
  const bytes = begin(rows * width, min, 0, width, rows)
  const packed = packedOf(bytes, prefixBytes, width, rows)
  for (let i = 0; i < rows; i++) packed[i] = values[i] - min
  return { encoding: integerEncoding.offset, bytes }
}

function encodeSteps(values: Float64Array, rows: number, minStep: number, width: number): EncodedIntegers {
  const bytes = begin((rows - 1) * width, values[0], minStep, width, rows)
  const packed = packedOf(bytes, prefixBytes, width, rows - 1)
  for (let i = 1; i < rows; i++) packed[i - 1] = values[i] - values[i - 1] - minStep
  return { encoding: integerEncoding.delta, bytes }
}

function encodeRuns(values: Float64Array, rows: number, runs: number): EncodedIntegers {
  const bytes = begin(runs * 12, 0, 0, 0, runs)
  const kept = new Float64Array(bytes.buffer, prefixBytes, runs)
  const lengths = new Uint32Array(bytes.buffer, prefixBytes + runs * 8, runs)
  let run = -1
  for (let i = 0; i < rows; i++) {
    if (run < 0 || values[i] !== kept[run]) kept[++run] = values[i]
    lengths[run]++
  }
  return { encoding: integerEncoding.runs, bytes }
}

function packedOf(bytes: Uint8Array, at: number, width: number, count: number): Uint8Array | Uint16Array | Uint32Array {
  const start = bytes.byteOffset + at
  if (width === 1) return new Uint8Array(bytes.buffer, start, count)
  return width === 2 ? new Uint16Array(bytes.buffer, start, count) : new Uint32Array(bytes.buffer, start, count)
}

/**
 * Decodes into cells of 4 bytes.
 * @param bytes 8-byte aligned
 * @param at index of the first cell
 */
export function decodeNarrow(encoding: number, bytes: Uint8Array, rows: number, out: Int32Array, at: number): void {
  const { base, step, width, count } = prefixOf(bytes)
  if (encoding === integerEncoding.constant) out.fill(base, at, at + rows)
  else if (encoding === integerEncoding.offset) {
    const packed = packedOf(bytes, prefixBytes, width, rows)
    for (let i = 0; i < rows; i++) out[at + i] = base + packed[i]
  } else if (encoding === integerEncoding.delta) {
    const packed = packedOf(bytes, prefixBytes, width, rows - 1)
    let value = base
    out[at] = value
    for (let i = 1; i < rows; i++) out[at + i] = value += step + packed[i - 1]
  } else {
    const { values, lengths } = runsOf(bytes, count)
    for (let run = 0; run < count; at += lengths[run++]) out.fill(values[run], at, at + lengths[run])
  }
}

/** Decodes into cells of 8 bytes, low word first. @param at index of the first cell's low word */
export function decodeWide(encoding: number, bytes: Uint8Array, rows: number, out: Uint32Array, at: number): void {
  const { base, step, width, count } = prefixOf(bytes)
  if (encoding === integerEncoding.constant) repeat(out, at, rows, base)
  else if (encoding === integerEncoding.offset) {
    const packed = packedOf(bytes, prefixBytes, width, rows)
    const high = Math.floor(base / 4294967296)
    const low = base - high * 4294967296
    for (let i = 0, to = at; i < rows; i++, to += 2) {
      const sum = low + packed[i]
      const carry = sum >= 4294967296 ? 1 : 0
      out[to] = sum - carry * 4294967296
      out[to + 1] = high + carry
    }
  } else if (encoding === integerEncoding.delta) {
    const packed = packedOf(bytes, prefixBytes, width, rows - 1)
    let value = base
    for (let i = 0, to = at; i < rows; i++, to += 2) {
      if (i > 0) value += step + packed[i - 1]
      const high = Math.floor(value / 4294967296)
      out[to] = value - high * 4294967296
      out[to + 1] = high
    }
  } else {
    const { values, lengths } = runsOf(bytes, count)
    for (let run = 0; run < count; at += 2 * lengths[run++]) repeat(out, at, lengths[run], values[run])
  }
}

function repeat(out: Uint32Array, at: number, rows: number, value: number): void {
  const high = Math.floor(value / 4294967296)
  const low = value - high * 4294967296
  for (let i = 0, to = at; i < rows; i++, to += 2) {
    out[to] = low
    out[to + 1] = high
  }
}

function prefixOf(bytes: Uint8Array): { base: number; step: number; width: number; count: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, prefixBytes)
  return {
    base: view.getFloat64(0, true),
    step: view.getFloat64(8, true),
    width: view.getUint32(16, true),
    count: view.getUint32(20, true),
  }
}

function runsOf(bytes: Uint8Array, count: number): { values: Float64Array; lengths: Uint32Array } {
  const start = bytes.byteOffset + prefixBytes
  return {
    values: new Float64Array(bytes.buffer, start, count),
    lengths: new Uint32Array(bytes.buffer, start + count * 8, count),
  }
}
