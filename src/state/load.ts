import type { Column } from '../data/batch.ts'
import type { Arena, LinearMemory } from '../data/memory.ts'
import { laneWidth } from '../data/sql-type.ts'
import type { Field } from './layout.ts'
import { generate } from './row-code.ts'

/**
 * Copies cells of entries out into columns.
 * @param entries address of `rows` u32 entry addresses; an entry 0 yields a NULL cell
 * @param fields which of the layout's fields, in which order; all of them if not given
 */
export type Load = (arena: Arena, entries: number, rows: number, fields?: readonly number[]) => Column[]

const cachedEntries = 512

type LoadField = (memory: LinearMemory, entries: number, rows: number, data: number, state: number) => number

export function compileLoad(fields: readonly Field[]): Load {
  const loaders = fields.map(loadField)
  const all = fields.map((_, k) => k)
  return (arena, entries, rows, wanted = all) => {
    const data = wanted.map((k) => arena.allocate(rows * laneWidth(fields[k].lane)))
    const states = wanted.map(() => arena.allocate(rows))
    const any = new Array<number>(wanted.length).fill(0)
    // Few enough entries at a time that their cells are still in the cache for the next field.
    for (let from = 0; from < rows; from += cachedEntries) {
      const count = Math.min(cachedEntries, rows - from)
      for (let i = 0; i < wanted.length; i++) {
        const at = data[i] + from * laneWidth(fields[wanted[i]].lane)
        any[i] |= loaders[wanted[i]](arena.memory, entries + from * 4, count, at, states[i] + from)
      }
    }
    return wanted.map((k, i) => ({ lane: fields[k].lane, data: data[i], state: any[i] === 0 ? 0 : states[i], heap: 0 }))
  }
}

function loadField(field: Field): LoadField {
  const at = `(e + ${field.offset} >>> 2)`
  const wide = field.lane !== 'i32'
  const copy = wide ? `i32[d + 2 * i] = i32[${at}]; i32[d + 2 * i + 1] = i32[${at} + 1];` : `i32[d + i] = i32[${at}];`
  const zero = wide ? 'i32[d + 2 * i] = 0; i32[d + 2 * i + 1] = 0;' : 'i32[d + i] = 0;'
  return generate(
    'loadField',
    ['memory', 'entries', 'rows', 'data', 'state'],
    `const u8 = memory.u8, i32 = memory.i32, u32 = memory.u32, d = data >>> 2;
    let any = 0;
    for (let i = 0, p = entries >>> 2; i < rows; i++, p++) {
      const e = u32[p];
      if (e === 0) { ${zero} u8[state + i] = 1; any = 1; continue; }
      ${copy}
      const s = u8[e + ${field.state}];
      u8[state + i] = s;
      any |= s;
    }
    return any;`,
  )
}
