import type { Column } from '../data/batch.ts'
import type { LinearMemory } from '../data/memory.ts'
import { weaken } from './bucket-hash.ts'
import type { Heap } from './heap.ts'
import type { Field, Layout } from './layout.ts'
import {
  declareColumn,
  equalCell,
  generate,
  hashCell,
  hashFinish,
  hashSeed,
  refreshViews,
  storeCell,
  viewNames,
} from './row-code.ts'

/**
 * An entry's own header: u32 hash, u32 stamp. The stamp is the epoch in which the owner last touched the entry, where
 * the owner says so; what is kept track of has stamps above `mark` when it was touched since then. The payload follows.
 */
export const headerBytes = 8

/** What generated code sees of a table. */
export interface TableState {
  slots: number
  mask: number
  count: number
  readonly mark: number
  grow(): void
  changing(hash: number): void
}

export type Locate = (
  memory: LinearMemory,
  heap: Heap,
  table: TableState,
  columns: readonly Column[],
  rows: number,
  out: number,
  mode: Mode,
  /** Whether `out` holds what was found of these rows, so that only the others are looked for. */
  searched: boolean,
) => void

/** The same for some of the rows: u32 lanes say which, and what the hash of each of all rows is. */
export type LocateListed = (
  memory: LinearMemory,
  heap: Heap,
  table: TableState,
  columns: readonly Column[],
  rows: number,
  out: number,
  mode: Mode,
  list: number,
  hashes: number,
) => void

export type Mode = (typeof modes)[keyof typeof modes]
export const modes = { find: 0, change: 1, make: 2, restore: 3 } as const

export interface LocateOptions {
  /** The key's fields come first in the layout. */
  readonly keyCount: number
  readonly payloadBytes: number
  readonly skipNull: boolean
  /** Test mode: hashes of few bits. */
  readonly weak: boolean
}

/** Code that finds, makes or takes back the entries of rows. */
export function compileLocate(layout: Layout, options: LocateOptions): Locate {
  const { fields, nulls, weak } = keyOf(layout, options)
  return generate(
    'locateEntries',
    ['memory', 'heap', 'table', 'columns', 'rows', 'out', 'mode', 'searched'],
    `${head(fields)}
    for (let i = 0, o = out >>> 2; i < rows; i++, o++) {
      if (searched && u32[o] !== 0) {
        const e = u32[o] >>> 2;
        if (watched && u32[e + 1] <= mark) {
          table.changing(u32[e]);
          ${refreshViews}
          u32[e + 1] = mark + 1;
        }
        continue;
      }
      ${nulls}
      let h = ${hashSeed};
      ${fields.map((field, k) => hashCell(k, field)).join('\n')}
      ${hashFinish}
      ${weaken(weak)}
      h = h >>> 0;
      ${locateOne(layout, options)}
    }`,
  )
}

/** The same for rows whose hashes are known. */
export function compileLocateListed(layout: Layout, options: LocateOptions): LocateListed {
  const { fields, nulls } = keyOf(layout, options)
  return generate(
    'locateListed',
    ['memory', 'heap', 'table', 'columns', 'rows', 'out', 'mode', 'list', 'hashes'],
    `${head(fields)}
    for (let j = 0; j < rows; j++) {
      const i = u32[(list >>> 2) + j], o = (out >>> 2) + i, h = u32[(hashes >>> 2) + i];
      ${nulls}
      ${locateOne(layout, options)}
    }`,
  )
}

function head(fields: readonly Field[]): string {
  return `${viewNames}
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    const mark = table.mark, watched = mark >= 0 && mode === ${modes.change};
    let slots = table.slots >>> 2, mask = table.mask;`
}

interface Key {
  readonly fields: readonly Field[]
  /** Says of a row whose key is not to be found or made that it has no entry. */
  readonly nulls: string
  readonly weak: boolean
}

function keyOf(layout: Layout, { keyCount, skipNull, weak }: LocateOptions): Key {
  const fields = layout.fields.slice(0, keyCount)
  const nulls = fields.map((_, k) => `(s${k} !== 0 && u8[s${k} + i] !== 0)`).join(' || ') || 'false'
  return { fields, nulls: skipNull ? `if (${nulls}) { u32[o] = 0; continue; }` : '', weak }
}

/** Finds or makes the entry of row `i`, whose hash is `h`, and writes it to the word `o`. */
function locateOne(layout: Layout, { keyCount, payloadBytes }: LocateOptions): string {
  const fields = layout.fields.slice(0, keyCount)
  const firstValue = layout.fields.slice(keyCount)
  const zeroValues = firstValue
    .map(
      (f) =>
        `i32[e + ${f.offset} >>> 2] = 0; ${f.lane === 'i32' ? '' : `i32[(e + ${f.offset} >>> 2) + 1] = 0;`} u8[e + ${f.state}] = 0;`,
    )
    .join(' ')
  const zero: string[] = []
  for (let word = 0; word < payloadBytes / 4; word++) zero.push(`u32[(e >>> 2) + ${headerBytes / 4 + word}] = 0;`)
  const zeroPayload =
    zero.length <= 16 ? zero.join(' ') : `memory.kernels.clearBytes(e + ${headerBytes}, ${payloadBytes});`
  const equal = ['true', ...fields.map((field, k) => equalCell(k, field))].join(' && ')
  return `
      let slot = h & mask, e = 0;
      for (;;) {
        e = u32[slots + slot * 2 + 1];
        if (e === 0) break;
        if (u32[slots + slot * 2] === h && ${equal}) break;
        slot = (slot + 1) & mask;
      }
      if (e !== 0) {
        if (watched && u32[(e >>> 2) + 1] <= mark) {
          table.changing(h);
          ${refreshViews}
          u32[(e >>> 2) + 1] = mark + 1;
        }
      } else if (mode !== ${modes.find}) {
        if (mark >= 0 && mode !== ${modes.restore}) table.changing(h);
        e = heap.allocate(${layout.bytes});
        ${refreshViews}
        u32[e >>> 2] = h;
        u32[(e >>> 2) + 1] = mode === ${modes.restore} ? 0 : mark + 1;
        ${zeroPayload}
        ${zeroValues}
        ${fields.map((field, k) => storeCell(k, field)).join('\n')}
        u32[slots + slot * 2] = h;
        u32[slots + slot * 2 + 1] = e;
        if (++table.count * 3 > mask * 2) {
          table.grow();
          ${refreshViews}
          slots = table.slots >>> 2; mask = table.mask;
        }
      }
      u32[o] = e;`
}
