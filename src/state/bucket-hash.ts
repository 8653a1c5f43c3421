import type { Column } from '../data/batch.ts'
import type { LinearMemory } from '../data/memory.ts'
import type { Field } from './layout.ts'
import { declareColumn, generate, hashCell, hashFinish, hashSeed, viewNames } from './row-code.ts'

/**
 * A bucket's 64-bit hash: its low word is what tables find entries by; the high word is a second mix of the same
 * cells, computed only where state leaves or enters memory. Changing either means another `hashVersion` (cold.ts).
 */
const highSeed = 0x2545f491

/** Mixes a cell's word into the 32-bit `g`: rotated and added to, so that it has little in common with the low word's. */
const mixWord = (word: string): string =>
  `g = Math.imul(((g << 13) | (g >>> 19)) ^ (${word}), 0x1b873593) + 0x6b64e654 | 0; g ^= g >>> 16;`

function mixCell(lane: Field['lane'], first: string, second: string, state: string): string {
  const flag = `if (${state} !== 0) { ${mixWord(state)} }`
  if (lane === 'i32') return `${mixWord(first)} ${flag}`
  if (lane === 'bytes') return `g = highBytes(u8, ${first}, ${second}, g); ${flag}`
  return `${mixWord(first)} ${mixWord(second)} ${flag}`
}

function mixColumnCell(k: number, { lane }: Field): string {
  const state = `(s${k} === 0 ? 0 : u8[s${k} + i])`
  if (lane === 'i32') return mixCell(lane, `i32[d${k} + i]`, '', state)
  if (lane === 'bytes') return mixCell(lane, `h${k} + u32[d${k} + 2 * i]`, `u32[d${k} + 2 * i + 1]`, state)
  return mixCell(lane, `i32[d${k} + 2 * i]`, `i32[d${k} + 2 * i + 1]`, state)
}

function mixEntryCell({ lane, offset, state }: Field): string {
  const at = `(e + ${offset} >>> 2)`
  const views = lane === 'bytes' ? 'u32' : 'i32'
  return mixCell(lane, `${views}[${at}]`, `${views}[${at} + 1]`, `u8[e + ${state}]`)
}

const finish = (weak: boolean): string =>
  `g ^= g >>> 15; g = Math.imul(g, 0x2c1b3c6d); g ^= g >>> 12; ${weak ? 'g = 0;' : ''}`

/** Few bits, so that tests meet several keys in a bucket. */
export const weaken = (weak: boolean): string => (weak ? 'h = h & 1;' : '')

/** The high word for an entry of a table. */
export type HighOf = (memory: LinearMemory, entry: number) => number

export function compileHighOf(keys: readonly Field[], weak: boolean): HighOf {
  return generate(
    'highOfEntry',
    ['memory', 'e'],
    `const u8 = memory.u8, i32 = memory.i32, u32 = memory.u32;
    let g = ${highSeed};
    ${keys.map(mixEntryCell).join('\n')}
    ${finish(weak)}
    return g >>> 0;`,
    { highBytes },
  )
}

/**
 * Writes the hashes (low word, high word) of those rows of `columns` that have no entry (u32 lane `found` is 0) to
 * `out`. @returns how many
 */
export type HashMissing = (
  memory: LinearMemory,
  columns: readonly Column[],
  rows: number,
  found: number,
  out: number,
) => number

export function compileHashMissing(keys: readonly Field[], skipNull: boolean, weak: boolean): HashMissing {
  const nulls = keys.map((_, k) => `(s${k} !== 0 && u8[s${k} + i] !== 0)`).join(' || ') || 'false'
  return generate(
    'hashMissing',
    ['memory', 'columns', 'rows', 'found', 'out'],
    `${viewNames}
    ${keys.map((_, k) => declareColumn(k)).join('\n')}
    let o = out >>> 2;
    for (let i = 0, f = found >>> 2; i < rows; i++, f++) {
      if (u32[f] !== 0) continue;
      ${skipNull ? `if (${nulls}) continue;` : ''}
      let h = ${hashSeed}, g = ${highSeed};
      ${keys.map((field, k) => hashCell(k, field)).join('\n')}
      ${hashFinish}
      ${weaken(weak)}
      ${keys.map((field, k) => mixColumnCell(k, field)).join('\n')}
      ${finish(weak)}
      u32[o++] = h;
      u32[o++] = g;
    }
    return (o - (out >>> 2)) / 2;`,
    { highBytes },
  )
}

/** 32 bits over a stretch of bytes, another way than the low word's. */
function highBytes(u8: Uint8Array, start: number, length: number, seed: number): number {
  let g = Math.imul(seed ^ length, 0x85ebca6b)
  let i = start
  const end = start + length
  for (; i + 4 <= end; i += 4) {
    const word = u8[i] | (u8[i + 1] << 8) | (u8[i + 2] << 16) | (u8[i + 3] << 24)
    g = (Math.imul(((g << 15) | (g >>> 17)) ^ Math.imul(word, 0xcc9e2d51), 5) + 0x52dce729) | 0
    g ^= g >>> 14
  }
  for (; i < end; i++) g = (Math.imul(((g << 7) | (g >>> 25)) ^ u8[i], 0x27d4eb2f) + 0x165667b1) | 0
  return g ^ (g >>> 16)
}
