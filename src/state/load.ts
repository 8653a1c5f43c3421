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

type LoadField = (memory: LinearMemory, entries: number, rows: number, data: number, state: number) => number

export function compileLoad(fields: readonly Field[]): Load {
  const loaders = fields.map(loadField)
  const all = fields.map((_, k) => k)
  return (arena, entries, rows, wanted = all) =>
    wanted.map((k) => {
      const { lane } = fields[k]
      const data = arena.allocate(rows * laneWidth(lane))
      const state = arena.allocate(rows)
      const any = loaders[k](arena.memory, entries, rows, data, state)
      return { lane, data, state: any === 0 ? 0 : state, heap: 0 }
    })
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
