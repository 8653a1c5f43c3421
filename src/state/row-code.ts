import type { Field } from './layout.ts'

/**
 * Snippets of JavaScript that arrangements are generated from, so that lanes and offsets are constants in the loop.
 * In them `u8, i32, u32` are the views of `memory`, `i` is the row of the batch, `e` an entry's address, and for column
 * k `d_k` is its data as a word index, `s_k` its state address, `h_k` its heap.
 */

/** Declares the locals of column `k`, from an array named `columns`. */
export function declareColumn(k: number): string {
  return `const c${k} = columns[${k}], d${k} = c${k}.data >>> 2, s${k} = c${k}.state, h${k} = c${k}.heap;`
}

export const viewNames = 'let u8 = memory.u8, i32 = memory.i32, u32 = memory.u32;'
/** After anything that may have grown the memory. */
export const refreshViews = 'u8 = memory.u8; i32 = memory.i32; u32 = memory.u32;'

function stateOf(k: number): string {
  return `(s${k} === 0 ? 0 : u8[s${k} + i])`
}

/** Mixes column `k` of row `i` into the 32-bit `h`. */
export function hashCell(k: number, field: Field): string {
  // A value hashes the same whether or not its column has a state lane in this batch.
  const state = `if (s${k} !== 0 && u8[s${k} + i] !== 0) h = Math.imul(h ^ u8[s${k} + i], 0x85ebca6b);`
  switch (field.lane) {
    case 'i32':
      return `h = Math.imul((h ^ i32[d${k} + i]) , 0x9e3779b1); h ^= h >>> 15; ${state}`
    case 'i64':
    case 'f64':
      return `h = Math.imul(h ^ i32[d${k} + 2 * i], 0x9e3779b1); h ^= h >>> 15; h = Math.imul(h ^ i32[d${k} + 2 * i + 1], 0x85ebca77); h ^= h >>> 13; ${state}`
    case 'bytes':
      return `h = hashBytes(u8, h${k} + u32[d${k} + 2 * i], u32[d${k} + 2 * i + 1], h); ${state}`
  }
}

/** What a row's hash begins with. */
export const hashSeed = 0x51ed270b

/** The last mix: every bit of the input reaches the low bits that choose a slot. */
export const hashFinish =
  'h ^= h >>> 16; h = Math.imul(h, 0x7feb352d); h ^= h >>> 15; h = Math.imul(h, 0x846ca68b); h ^= h >>> 16;'

/** Is column `k` of row `i` the cell of entry `e`? */
export function equalCell(k: number, field: Field): string {
  const state = `${stateOf(k)} === u8[e + ${field.state}]`
  const at = `(e + ${field.offset} >>> 2)`
  switch (field.lane) {
    case 'i32':
      return `i32[d${k} + i] === i32[${at}] && ${state}`
    case 'i64':
    case 'f64':
      return `i32[d${k} + 2 * i] === i32[${at}] && i32[d${k} + 2 * i + 1] === i32[${at} + 1] && ${state}`
    case 'bytes':
      return `u32[d${k} + 2 * i + 1] === u32[${at} + 1] && ${state} && memory.kernels.equalBytes(h${k} + u32[d${k} + 2 * i], u32[${at}], u32[${at} + 1]) === 1`
  }
}

/** Copies column `k` of row `i` into entry `e`. May grow the memory when the cell is bytes. */
export function storeCell(k: number, field: Field): string {
  const state = `u8[e + ${field.state}] = ${stateOf(k)};`
  const at = `(e + ${field.offset} >>> 2)`
  switch (field.lane) {
    case 'i32':
      return `i32[${at}] = i32[d${k} + i]; ${state}`
    case 'i64':
    case 'f64':
      return `i32[${at}] = i32[d${k} + 2 * i]; i32[${at} + 1] = i32[d${k} + 2 * i + 1]; ${state}`
    case 'bytes':
      return `{ const l = u32[d${k} + 2 * i + 1], f = h${k} + u32[d${k} + 2 * i]; let t = 0; if (l !== 0) { t = heap.allocate(l); ${refreshViews} memory.kernels.copyBytes(f, t, l); } u32[${at}] = t; u32[${at} + 1] = l; ${state} }`
  }
}

/**
 * Bytes that row `i` takes when its strings lie behind the entry's fixed part: one allocation for a row that is
 * written once and never changed.
 */
export function rowBytes(fields: readonly Field[], fixed: number): string {
  const strings = fields.map((field, k) => (field.lane === 'bytes' ? ` + u32[d${k} + 2 * i + 1]` : ''))
  return `${fixed}${strings.join('')}`
}

/** As `storeCell`, for an entry of `rowBytes`; `tail` is a local with the address of its next free byte. */
export function storeInlineCell(k: number, field: Field): string {
  if (field.lane !== 'bytes') return storeCell(k, field)
  const at = `(e + ${field.offset} >>> 2)`
  return `{ const l = u32[d${k} + 2 * i + 1]; u32[${at}] = tail; u32[${at} + 1] = l; memory.kernels.copyBytes(h${k} + u32[d${k} + 2 * i], tail, l); tail += l; u8[e + ${field.state}] = ${stateOf(k)}; }`
}

/** Gives entry `e`'s strings back at the end of the tick. */
export function releaseCell(field: Field): string {
  if (field.lane !== 'bytes') return ''
  const at = `(e + ${field.offset} >>> 2)`
  return `if (u32[${at} + 1] !== 0) heap.freeLater(u32[${at}], u32[${at} + 1]);`
}

/** 32 bits over a stretch of bytes, four at a time. */
export function hashBytes(u8: Uint8Array, start: number, length: number, seed: number): number {
  let h = seed ^ Math.imul(length, 0x9e3779b1)
  let i = start
  const end = start + length
  for (; i + 4 <= end; i += 4) {
    h = Math.imul(h ^ (u8[i] | (u8[i + 1] << 8) | (u8[i + 2] << 16) | (u8[i + 3] << 24)), 0x9e3779b1)
    h ^= h >>> 15
  }
  for (; i < end; i++) h = Math.imul(h ^ u8[i], 0x85ebca77) ^ (h >>> 13)
  return h
}

/**
 * Compiles a generated body with the hash in scope.
 * @param name what a profile shows
 * @param names its parameters
 * @param more further helpers, by the names that the body calls them by
 */
export function generate<F>(
  name: string,
  names: readonly string[],
  body: string,
  more: Readonly<Record<string, unknown>> = {},
): F {
  const helpers = { hashBytes, ...more }
  const factory = new Function(
    ...Object.keys(helpers),
    `'use strict'; return function ${name}(${names.join(', ')}) { ${body} }`,
  )
  return factory(...Object.values(helpers)) as F
}
