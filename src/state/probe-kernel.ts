import { equalBytes } from '../data/byte-kernels.ts'
import type { Lane } from '../data/sql-type.ts'
import { type Code, type WasmFunction, wasm, wasmModule } from '../data/wasm.ts'
import type { Field } from './layout.ts'
import { hashSeed } from './row-code.ts'

/**
 * Looks up the entries of rows: what `locateEntries` (locate-code.ts) does for those that are there, with the same
 * hash, in stages over a few rows at a time. Each stage's loads do not wait for one another, so that the misses of many
 * rows are under way at once, where a loop row by row waits for slot, entry and slot again.
 * Only for keys of a column at least.
 * @param from the first row to look up, and behind the last one: `rows`
 * @param out address of `rows` u32: receives entries, 0 where JavaScript has to look
 * @param hashes address of `rows` u32: receives the rows' hashes
 * @param limit entries with a stamp below it are left to JavaScript
 * @param missed address of `rows` u32: receives which rows got 0
 * @param columns of each key column: its data's, states' and heap's address
 * @returns how many got 0
 */
export type Probe = (
  from: number,
  rows: number,
  out: number,
  hashes: number,
  slots: number,
  mask: number,
  limit: number,
  missed: number,
  ...columns: number[]
) => number

/** Keys of more columns are left to JavaScript: a function has a thousand parameters at most. */
export const probedColumnsMax = 100

/** So many rows' slots and entries fit the first cache. */
const stageRows = 128

const {
  get,
  set,
  tee,
  constant,
  call,
  when,
  loop,
  block,
  again,
  againIf,
  add,
  multiply,
  and,
  xor,
  shiftLeft,
  shiftRight,
  less,
  isZero,
  equal,
  differ,
  differ64,
  load8,
  load32,
  load64,
  load8At,
  load32At,
  load64At,
  store32,
} = wasm

const [from, rows, out, hashes, slots, mask, limit, missed] = [0, 1, 2, 3, 4, 5, 6, 7]
const firstColumn = 8

const times = (factor: number): Code => [...constant(factor), ...multiply]
const shiftedRight = (local: number, by: number): Code => [...get(local), ...constant(by), ...shiftRight]
const advance = (local: number, by: number): Code => [...get(local), ...constant(by), ...add, ...set(local)]
/** The address of cell `row` of a lane whose cells are 1 << `shift` bytes. */
const cell = (lane: number, row: number, shift: number): Code => [
  ...get(lane),
  ...get(row),
  ...(shift === 0 ? [] : [...constant(shift), ...shiftLeft]),
  ...add,
]

/** `hashBytes` of row-code.ts. Start 0, length 1, hash 2, end 3. */
const hashBytes: WasmFunction = {
  name: 'hashBytes',
  parameters: 3,
  returns: true,
  locals: [1, 0],
  body: [
    [...get(2), ...get(1), ...times(0x9e3779b1), ...xor, ...set(2)],
    [...get(0), ...get(1), ...constant(-4), ...and, ...add, ...set(3)],
    loop([
      ...get(0),
      ...get(3),
      ...less,
      ...when(
        [...get(2), ...get(0), ...load32, ...xor, ...times(0x9e3779b1), ...tee(2)],
        [...shiftedRight(2, 15), ...xor, ...set(2)],
        advance(0, 4),
        again(1),
      ),
    ]),
    [...get(0), ...get(1), ...constant(3), ...and, ...add, ...set(3)],
    loop([
      ...get(0),
      ...get(3),
      ...less,
      ...when(
        [...get(2), ...get(0), ...load8, ...xor, ...times(0x85ebca77), ...shiftedRight(2, 13), ...xor, ...set(2)],
        advance(0, 1),
        again(1),
      ),
    ]),
    get(2),
  ],
}

/** Locals of the probe, behind its parameters. */
interface Locals {
  readonly i: number
  readonly h: number
  readonly e: number
  readonly at: number
}

const dataOf = (k: number): number => firstColumn + 3 * k
const stateOf = (k: number): number => firstColumn + 3 * k + 1
const heapOf = (k: number): number => firstColumn + 3 * k + 2

/** `hashCell` of row-code.ts. */
function hashCell(k: number, lane: Lane, { i, h, at }: Locals): Code {
  const folded = (shift: number): Code => [...get(h), ...shiftedRight(h, shift), ...xor, ...set(h)]
  const state = [
    ...get(stateOf(k)),
    ...when([
      ...cell(stateOf(k), i, 0),
      ...load8,
      ...tee(at),
      ...when([...get(h), ...get(at), ...xor, ...times(0x85ebca6b), ...set(h)]),
    ]),
  ]
  switch (lane) {
    case 'i32':
      return [
        ...[...get(h), ...cell(dataOf(k), i, 2), ...load32, ...xor, ...times(0x9e3779b1), ...set(h)],
        ...folded(15),
        ...state,
      ]
    case 'i64':
    case 'f64':
      return [
        ...[...cell(dataOf(k), i, 3), ...set(at)],
        ...[...get(h), ...get(at), ...load32, ...xor, ...times(0x9e3779b1), ...set(h)],
        ...folded(15),
        ...[...get(h), ...get(at), ...load32At(4), ...xor, ...times(0x85ebca77), ...set(h)],
        ...folded(13),
        ...state,
      ]
    case 'bytes':
      return [
        ...[...cell(dataOf(k), i, 3), ...set(at)],
        ...[...get(heapOf(k)), ...get(at), ...load32, ...add, ...get(at), ...load32At(4), ...get(h), ...call(1)],
        ...[...set(h), ...state],
      ]
  }
}

/** `hashFinish` of row-code.ts. */
function hashFinish(h: number): Code {
  return [
    ...[...get(h), ...shiftedRight(h, 16), ...xor, ...times(0x7feb352d), ...set(h)],
    ...[...get(h), ...shiftedRight(h, 15), ...xor, ...times(0x846ca68b), ...set(h)],
    ...[...get(h), ...shiftedRight(h, 16), ...xor, ...set(h)],
  ]
}

/** Leaves the block that `depth` names unless column `k` of row `i` is the cell of entry `e`. */
function leaveUnlessEqual(k: number, field: Field, { i, e, at }: Locals, depth: number): Code {
  // A lane of states that is not there is one of zeros.
  const state = [
    ...constant(0),
    ...set(at),
    ...get(stateOf(k)),
    ...when([...cell(stateOf(k), i, 0), ...load8, ...set(at)]),
    ...[...get(at), ...get(e), ...load8At(field.state), ...differ, ...againIf(depth)],
  ]
  switch (field.lane) {
    case 'i32':
      return [
        ...[...cell(dataOf(k), i, 2), ...load32, ...get(e), ...load32At(field.offset), ...differ, ...againIf(depth)],
        ...state,
      ]
    case 'i64':
    case 'f64':
      return [
        ...[...cell(dataOf(k), i, 3), ...load64, ...get(e), ...load64At(field.offset), ...differ64, ...againIf(depth)],
        ...state,
      ]
    case 'bytes':
      return [
        ...state,
        ...[...cell(dataOf(k), i, 3), ...tee(at), ...load32At(4)],
        ...[...get(e), ...load32At(field.offset + 4), ...differ, ...againIf(depth)],
        ...[...get(heapOf(k)), ...get(at), ...load32, ...add],
        ...[...get(e), ...load32At(field.offset), ...get(e), ...load32At(field.offset + 4)],
        ...[...call(0), ...isZero, ...againIf(depth)],
      ]
  }
}

/** A loop over the rows up to `end`, of which there is one at least. */
function eachRow(i: number, end: number, body: Code): Code {
  return [
    ...[...get(from), ...set(i)],
    ...loop(body, [...advance(i, 1), ...get(i), ...get(end), ...less, ...againIf(0)]),
  ]
}

function probeFunction(keys: readonly Field[], weak: boolean): WasmFunction {
  const first = firstColumn + 3 * keys.length
  const [i, h, e, at, end, misses, slot] = [0, 1, 2, 3, 4, 5, 6].map((k) => first + k)
  const locals: Locals = { i, h, e, at }
  const hash: Code = [
    ...[...constant(hashSeed), ...set(h)],
    ...keys.flatMap(({ lane }, k) => hashCell(k, lane, locals)),
    ...hashFinish(h),
    ...(weak ? [...get(h), ...constant(1), ...and, ...set(h)] : []),
    ...[...cell(hashes, i, 2), ...get(h), ...store32],
  ]
  const home: Code = [...cell(hashes, i, 2), ...load32, ...tee(h), ...get(mask), ...and, ...set(slot)]
  // What is read of the entry is written so that it is read; the next stage writes what is meant.
  const touch: Code = [
    ...home,
    ...[...cell(out, i, 2), ...cell(slots, slot, 3), ...load32At(4), ...load32At(keys[0].offset), ...store32],
  ]
  const found: Code = [
    ...keys.flatMap((field, k) => leaveUnlessEqual(k, field, locals, 0)),
    ...[...get(e), ...load32At(4), ...get(limit), ...less, ...againIf(3)],
    ...[...cell(out, i, 2), ...get(e), ...store32, ...again(4)],
  ]
  // From the inside: 0 another key, 1 its hash, 2 the walk over slots, 3 a miss, 4 the row.
  const find: Code = [
    ...home,
    ...block(
      block(
        loop(
          [...cell(slots, slot, 3), ...tee(at), ...load32At(4), ...tee(e), ...isZero, ...againIf(1)],
          [...get(at), ...load32, ...get(h), ...equal, ...when(block(found))],
          [...get(slot), ...constant(1), ...add, ...get(mask), ...and, ...set(slot)],
          again(0),
        ),
      ),
      [...cell(out, i, 2), ...constant(0), ...store32],
      [...cell(missed, misses, 2), ...get(i), ...store32],
      advance(misses, 1),
    ),
  ]
  const staged: Code = loop(
    [...get(from), ...constant(stageRows), ...add, ...tee(end), ...get(rows), ...less, ...isZero],
    when([...get(rows), ...set(end)]),
    eachRow(i, end, hash),
    eachRow(i, end, touch),
    eachRow(i, end, find),
    [...get(end), ...tee(from), ...get(rows), ...less, ...againIf(0)],
  )
  return { name: 'probe', parameters: first, returns: true, locals: [7, 0], body: [staged, get(misses)] }
}

const modules = new Map<string, WebAssembly.Module>()

/** The module for entries whose key lies in these fields; tables of one shape share it. */
export function probeModule(keys: readonly Field[], weak: boolean): WebAssembly.Module {
  const shape = `${weak} ${keys.map(({ lane, offset, state }) => `${lane} ${offset} ${state}`).join(' ')}`
  let module = modules.get(shape)
  if (module === undefined) {
    module = new WebAssembly.Module(wasmModule([equalBytes, hashBytes, probeFunction(keys, weak)], 65536))
    modules.set(shape, module)
  }
  return module
}
