/**
 * The few of WebAssembly's instructions that our kernels need, as the bytes they are. Locals are numbered, parameters
 * first; `block` is nothing, `0x40`, and a branch counts the blocks it leaves.
 */
export type Code = readonly number[]

const i32 = 0x7f

export const wasm = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  tee: (local: number): Code => [0x22, ...unsigned(local)],
  constant: (value: number): Code => [0x41, ...signed(value)],
  constant64: (value: number): Code => [0x42, ...signed(value)],
  call: (index: number): Code => [0x10, index],
  when: (...body: readonly Code[]): Code => [0x04, 0x40, ...body.flat(), 0x0b],
  loop: (...body: readonly Code[]): Code => [0x03, 0x40, ...body.flat(), 0x0b],
  block: (...body: readonly Code[]): Code => [0x02, 0x40, ...body.flat(), 0x0b],
  again: (depth: number): Code => [0x0c, depth],
  againIf: (depth: number): Code => [0x0d, depth],
  return: [0x0f],
  add: [0x6a],
  subtract: [0x6b],
  multiply: [0x6c],
  and: [0x71],
  or: [0x72],
  xor: [0x73],
  shiftLeft: [0x74],
  shiftRight: [0x76],
  less: [0x49],
  atLeast: [0x4f],
  isZero: [0x45],
  equal: [0x46],
  differ: [0x47],
  differ64: [0x52],
  xor64: [0x85],
  isZero64: [0x50],
  trailingZeros64: [0x7a],
  toInt32: [0xa7],
  load8: [0x2d, 0, 0],
  load32: [0x28, 0, 0],
  load64: [0x29, 0, 0],
  load128: [0xfd, 0, 0, 0],
  /** At a constant distance behind the address. */
  load8At: (offset: number): Code => [0x2d, 0, ...unsigned(offset)],
  load32At: (offset: number): Code => [0x28, 0, ...unsigned(offset)],
  load64At: (offset: number): Code => [0x29, 0, ...unsigned(offset)],
  store8: [0x3a, 0, 0],
  store32: [0x36, 0, 0],
  store64: [0x37, 0, 0],
  store128: [0xfd, 0x0b, 0, 0],
  /** memory.fill: address, byte, length. */
  fill: [0xfc, 0x0b, 0],
} as const

export interface WasmFunction {
  readonly name: string
  readonly parameters: number
  /** Whether it returns an i32. */
  readonly returns: boolean
  /** Further locals: i32 first, then i64. */
  readonly locals?: readonly [i32: number, i64: number]
  readonly body: readonly Code[]
}

/** A module of exported functions over one imported shared memory, `engine.memory`. */
export function wasmModule(functions: readonly WasmFunction[], maximumPages: number): Uint8Array<ArrayBuffer> {
  const sections = [
    section(
      1,
      functions.map(({ parameters, returns }) => [
        0x60,
        ...list(new Array<Code>(parameters).fill([i32])),
        ...list(returns ? [[i32]] : []),
      ]),
    ),
    section(2, [[...name('engine'), ...name('memory'), 2, 3, ...unsigned(1), ...unsigned(maximumPages)]]),
    section(
      3,
      functions.map((_, i) => [i]),
    ),
    section(
      7,
      functions.map((each, i) => [...name(each.name), 0, i]),
    ),
    section(
      10,
      functions.map(({ locals = [0, 0], body }) => {
        const code = [
          ...list([
            [...unsigned(locals[0]), i32],
            [...unsigned(locals[1]), 0x7e],
          ]),
          ...body.flat(),
          0x0b,
        ]
        return [...unsigned(code.length), ...code]
      }),
    ),
  ]
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()])
}

function section(id: number, items: readonly Code[]): Code {
  const bytes = list(items)
  return [id, ...unsigned(bytes.length), ...bytes]
}

function list(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()]
}

function name(text: string): Code {
  return [...unsigned(text.length), ...Array.from(text, (letter) => letter.charCodeAt(0))]
}

function unsigned(value: number): Code {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest]
    bytes.push((rest & 0x7f) | 0x80)
  }
}

function signed(value: number): Code {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7) {
    const byte = rest & 0x7f
    if ((rest >> 7 === 0 && (byte & 0x40) === 0) || (rest >> 7 === -1 && (byte & 0x40) !== 0)) return [...bytes, byte]
    bytes.push(byte | 0x80)
  }
}
