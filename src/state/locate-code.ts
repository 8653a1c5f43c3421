import type { Column } from '../data/batch.ts'
import type { LinearMemory } from '../data/memory.ts'
import { weaken } from './bucket-hash.ts'
import type { Heap } from './heap.ts'
import type { Layout } from './layout.ts'
import {
  declareColumn,
  equalCell,
  generate,
  hashCell,
  hashFinish,
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

type Mode = (typeof modes)[keyof typeof modes]
export const modes = { find: 0, change: 1, make: 2, restore: 3 } as const

/**
 * Code that finds, makes or takes back the entries of rows.
 * @param keyCount the key's fields come first in the layout
 * @param weak test mode: hashes of few bits
 */
export function compileLocate(
  layout: Layout,
  keyCount: number,
  payloadBytes: number,
  skipNull: boolean,
  weak: boolean,
): Locate {
  const fields = layout.fields.slice(0, keyCount)
  const firstValue = layout.fields.slice(keyCount)
  const zeroValues = firstValue
    .map(
      (f) =>
        `i32[e + ${f.offset} >>> 2] = 0; ${f.lane === 'i32' ? '' : `i32[(e + ${f.offset} >>> 2) + 1] = 0;`} u8[e + ${f.state}] = 0;`,
    )
    .join(' ')
  const nulls = fields.map((_, k) => `(s${k} !== 0 && u8[s${k} + i] !== 0)`).join(' || ') || 'false'
  const zero: string[] = []
  for (let word = 0; word < payloadBytes / 4; word++) zero.push(`u32[(e >>> 2) + ${headerBytes / 4 + word}] = 0;`)
  const zeroPayload =
    zero.length <= 16
      ? zero.join(' ')
      : `u32.fill(0, (e >>> 2) + ${headerBytes / 4}, (e >>> 2) + ${(headerBytes + payloadBytes) / 4});`
  const equal = ['true', ...fields.map((field, k) => equalCell(k, field))].join(' && ')
  return generate(
    'locateEntries',
    ['memory', 'heap', 'table', 'columns', 'rows', 'out', 'mode', 'searched'],
    `${viewNames}
    ${fields.map((_, k) => declareColumn(k)).join('\n')}
    const mark = table.mark, watched = mark >= 0 && mode === ${modes.change};
    let slots = table.slots >>> 2, mask = table.mask, o = out >>> 2;
    for (let i = 0; i < rows; i++, o++) {
      if (searched && u32[o] !== 0) {
        const e = u32[o] >>> 2;
        if (watched && u32[e + 1] <= mark) {
          table.changing(u32[e]);
          ${refreshViews}
          u32[e + 1] = mark + 1;
        }
        continue;
      }
      ${skipNull ? `if (${nulls}) { u32[o] = 0; continue; }` : ''}
      let h = 0x51ed270b;
      ${fields.map((field, k) => hashCell(k, field)).join('\n')}
      ${hashFinish}
      ${weaken(weak)}
      h = h >>> 0;
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
      u32[o] = e;
    }`,
  )
}
