import { type Code, type WasmFunction, wasm, wasmModule } from './wasm.ts'

/**
 * What JavaScript does slowly with bytes inside one linear memory. Strings of some ten to a hundred bytes are what
 * rows are made of: a call from generated code takes 6–9 ns here, byte by byte or with copyWithin it takes 30–60.
 */
export interface ByteKernels {
  /** Copies bytes to a stretch that does not overlap them, or lies before them. */
  copyBytes(from: number, to: number, length: number): void
  /** Zeros: a typed array over shared memory fills itself element by element. */
  clearBytes(address: number, length: number): void
  /** @returns 1 if the bytes are equal, else 0 */
  equalBytes(a: number, b: number, length: number): number
  /** Collation "C": by bytes, a prefix first. @returns less than, equal to or greater than 0 */
  compareBytes(a: number, aLength: number, b: number, bLength: number): number
  /**
   * Copies the strings of `rows` bytes cells one behind the other, and writes cells that point to them.
   * @param cells address of u32 offset from `heap` and u32 length per row
   * @param out address of the new cells; their offsets count from here, the strings begin behind them
   * @returns the address behind the last string
   */
  packStrings(cells: number, heap: number, rows: number, out: number): number
}

/** Instantiates the kernels over an engine's memory. */
export function byteKernels(memory: WebAssembly.Memory): ByteKernels {
  module ??= new WebAssembly.Module(wasmModule(functions, 65536))
  return new WebAssembly.Instance(module, { engine: { memory } }).exports as unknown as ByteKernels
}

let module: WebAssembly.Module | undefined

const {
  get,
  set,
  tee,
  constant,
  call,
  when,
  loop,
  again,
  againIf,
  add,
  subtract,
  less,
  atLeast,
  isZero,
  load8,
  load32,
  load64,
  load128,
  store8,
  store32,
  store64,
  store128,
} = wasm

const plus = (local: number, value: number): Code => [...get(local), ...constant(value), ...add]
const advance = (local: number, by: number): Code => [...plus(local, by), ...set(local)]
/** The address of the last `bytes` of what begins at `local`. */
const last = (local: number, length: number, bytes: number): Code => [
  ...get(local),
  ...get(length),
  ...add,
  ...constant(bytes),
  ...subtract,
]

/** Copies the first and the last `bytes`, which overlap, when the length (2) is at least that and less than twice. */
function copyEnds(bytes: number, load: Code, store: Code): Code {
  return [
    ...get(2),
    ...constant(bytes),
    ...atLeast,
    ...when(
      [...get(1), ...get(0), ...load, ...store],
      [...last(1, 2, bytes), ...last(0, 2, bytes), ...load, ...store],
      wasm.return,
    ),
  ]
}

/** from 0, to 1, length 2; start of the last 16 bytes 3, distance 4. */
const copyBody: readonly Code[] = [
  get(2),
  constant(16),
  atLeast,
  when(
    [...last(0, 2, 16), ...set(3)],
    [...get(1), ...get(0), ...subtract, ...set(4)],
    loop(
      [...get(0), ...get(4), ...add, ...get(0), ...load128, ...store128],
      [...plus(0, 16), ...tee(0), ...get(3), ...less, ...againIf(0)],
    ),
    [...get(3), ...get(4), ...add, ...get(3), ...load128, ...store128],
    wasm.return,
  ),
  copyEnds(8, load64, store64),
  copyEnds(4, load32, store32),
  loop([
    ...get(2),
    ...when(
      [...get(1), ...get(0), ...load8, ...store8],
      advance(0, 1),
      advance(1, 1),
      [...get(2), ...constant(1), ...subtract, ...set(2)],
      again(1),
    ),
  ]),
]

/** Skips 8 equal bytes at a time of a (0) and b (1) while their common length (2) allows; 4: i64 difference. */
function skipEqual(found: Code): Code {
  return loop([
    ...get(2),
    ...constant(8),
    ...atLeast,
    ...when(
      [...get(0), ...load64, ...get(1), ...load64, ...wasm.xor64, ...tee(4), ...wasm.isZero64, ...isZero],
      when(found),
      advance(0, 8),
      advance(1, 8),
      [...get(2), ...constant(8), ...subtract, ...set(2)],
      again(1),
    ),
  ])
}

/** Then one byte at a time. */
function skipBytes(found: Code): Code {
  return loop([
    ...get(2),
    ...when(
      [...get(0), ...load8, ...get(1), ...load8, ...wasm.differ],
      when(found),
      advance(0, 1),
      advance(1, 1),
      [...get(2), ...constant(1), ...subtract, ...set(2)],
      again(1),
    ),
  ])
}

const byteDifference: Code = [...get(0), ...load8, ...get(1), ...load8, ...subtract, ...wasm.return]
/** The first byte that differs is the lowest one that is not zero in the difference. */
const toDifference: Code = [
  ...get(4),
  ...wasm.trailingZeros64,
  ...wasm.toInt32,
  ...constant(3),
  ...wasm.shiftRight,
  ...tee(3),
  ...get(0),
  ...add,
  ...set(0),
  ...get(3),
  ...get(1),
  ...add,
  ...set(1),
  ...byteDifference,
]

/** For other modules, too: each has its own. */
export const equalBytes: WasmFunction = {
  name: 'equalBytes',
  parameters: 3,
  returns: true,
  locals: [1, 1],
  body: [skipEqual([...constant(0), ...wasm.return]), skipBytes([...constant(0), ...wasm.return]), constant(1)],
}

const functions: readonly WasmFunction[] = [
  { name: 'copyBytes', parameters: 3, returns: false, locals: [2, 0], body: copyBody },
  equalBytes,
  {
    // Of two strings cut to one length.
    name: 'compareCommon',
    parameters: 3,
    returns: true,
    locals: [1, 1],
    body: [skipEqual(toDifference), skipBytes(byteDifference), constant(0)],
  },
  {
    // a 0, its length 1, b 2, its length 3; the lesser length, then the answer 4.
    name: 'compareBytes',
    parameters: 4,
    returns: true,
    locals: [1, 0],
    body: [
      [...get(1), ...set(4)],
      [...get(3), ...get(1), ...less],
      when([...get(3), ...set(4)]),
      [...get(0), ...get(2), ...get(4), ...call(2), ...tee(4)],
      when([...get(4), ...wasm.return]),
      [...get(1), ...get(3), ...subtract],
    ],
  },
  {
    // cells 0, heap 1, rows 2, out 3; the new cell 4, its string 5, length 6.
    name: 'packStrings',
    parameters: 4,
    returns: true,
    locals: [3, 0],
    body: [
      [...get(3), ...set(4)],
      [...get(2), ...constant(3), ...wasm.shiftLeft, ...get(3), ...add, ...set(5)],
      loop([
        ...get(2),
        ...when(
          [...get(4), ...get(5), ...get(3), ...subtract, ...store32],
          [...plus(4, 4), ...plus(0, 4), ...load32, ...tee(6), ...store32],
          [...get(0), ...load32, ...get(1), ...add, ...get(5), ...get(6), ...call(0)],
          [...get(5), ...get(6), ...add, ...set(5)],
          advance(0, 8),
          advance(4, 8),
          [...get(2), ...constant(1), ...subtract, ...set(2)],
          again(1),
        ),
      ]),
      get(5),
    ],
  },
  { name: 'clearBytes', parameters: 2, returns: false, body: [get(0), constant(0), get(1), wasm.fill] },
]
