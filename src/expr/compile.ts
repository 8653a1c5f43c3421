import type { Batch, Column } from '../data/batch.ts'
import { Bug } from '../data/errors.ts'
import type { Arena } from '../data/memory.ts'
import { type ColumnSchema, laneOf, laneWidth, narrowDigits } from '../data/sql-type.ts'
import { Builder, onlyExact } from './builder.ts'
import { gather, gatherWeights } from './gather.ts'
import { binary, choose, type Expr, f64, falsehood, i32, int, type Kernel } from './kernel.ts'
import { lower, lowerPredicate } from './lower.ts'
import { type CompiledKernel, compileKernel, frameHeader } from './print-js.ts'
import { Runtime } from './runtime.ts'
import { columnsOf, type Scalar } from './scalar.ts'
import { scaleOf, type Value } from './value.ts'

/** A row whose filter was an error: it is neither kept nor dropped. */
export interface RowError {
  /** Of the input batch. */
  readonly row: number
  /** cell.ts's code. */
  readonly code: number
}

export interface MapResult {
  /** Null if no row is left. Columns that are passed on share their input's memory. */
  readonly batch: Batch | null
  readonly errors: readonly RowError[]
}

export interface CompiledMap {
  /**
   * @param arena where results are put; they live as long as the batch
   * @param nowMicros the tick's time, microseconds since 1970
   */
  run(arena: Arena, batch: Batch, nowMicros: bigint): MapResult
}

/**
 * Compiles a filter and projections over a batch's columns to code: rows whose filter is TRUE are kept, with their
 * weights, and each output is computed for them. Outputs that fail are error cells.
 * @param filter null keeps every row
 */
export function compileMap(
  inputs: readonly ColumnSchema[],
  filter: Scalar | null,
  outputs: readonly Scalar[],
): CompiledMap {
  const test = filter === null ? null : new Program(inputs, filter, 'filter')
  const programs = outputs.map((output) =>
    output.op === 'column' ? output.index : new Program(inputs, output, 'output'),
  )
  const runtime = new Runtime()
  return {
    run(arena, batch, nowMicros) {
      runtime.begin(arena.memory, nowMicros)
      if (batch.rows === 0) return { batch: null, errors: [] }
      let rows = batch.rows
      let selection = 0
      if (test !== null) {
        const address = arena.allocate(batch.rows * 4)
        rows = test.select(runtime, arena, batch, address)
        if (rows < batch.rows) selection = address
      }
      const errors = runtime.errors.length === 0 ? [] : runtime.errors.slice()
      if (rows === 0) return { batch: null, errors }
      const columns = programs.map((program) => {
        if (typeof program !== 'number') return program.compute(runtime, arena, batch, selection, rows)
        const column = batch.columns[program]
        return selection === 0 ? column : gather(arena, column, selection, rows)
      })
      const weights = selection === 0 ? batch.weights : gatherWeights(arena, batch, selection, rows)
      return { batch: { rows, columns, weights }, errors }
    },
  }
}

interface Variant {
  readonly kernel: Kernel
  readonly code: CompiledKernel
}

/** Beyond this many patterns of state lanes the general one, with all of them, has to do. */
const patternsMax = 16

/**
 * One expression, compiled when it is first needed for each pattern of state lanes, with and without a selection,
 * safe and exact.
 */
class Program {
  readonly #inputs: readonly ColumnSchema[]
  readonly #scalar: Scalar
  readonly #kind: 'filter' | 'output'
  readonly #reads: readonly number[]
  readonly #variants = new Map<string, Variant | null>()
  readonly #patterns = new Set<string>()

  constructor(inputs: readonly ColumnSchema[], scalar: Scalar, kind: 'filter' | 'output') {
    this.#inputs = inputs
    this.#scalar = scalar
    this.#kind = kind
    this.#reads = [...columnsOf(scalar)].sort((a, b) => a - b)
  }

  /** Puts the numbers of the rows that pass at an address. @returns how many there are */
  select(runtime: Runtime, arena: Arena, batch: Batch, address: number): number {
    this.#run(runtime, arena, batch, 0, batch.rows, address, () => 0)
    return runtime.kept
  }

  compute(runtime: Runtime, arena: Arena, batch: Batch, selection: number, rows: number): Column {
    const lane = laneOf(this.#scalar.type)
    const data = arena.allocate(rows * laneWidth(lane))
    let state = 0
    runtime.flags = 0
    this.#run(runtime, arena, batch, selection, rows, data, () => {
      if (state === 0) state = arena.allocateZeroed(rows)
      return state
    })
    return { lane, data, state: runtime.flags === 0 ? 0 : state, heap: 0 }
  }

  #run(
    runtime: Runtime,
    arena: Arena,
    batch: Batch,
    selection: number,
    rows: number,
    out: number,
    stateAddress: () => number,
  ): void {
    const pattern = this.#patternOf(batch)
    let exact = false
    let at = 0
    while (at < rows) {
      const variant = this.#variant(pattern, exact, selection !== 0)
      if (variant === null) {
        exact = true
        continue
      }
      const { kernel, code } = variant
      const frame = this.#frame(kernel, arena, batch, pattern, selection, out)
      frame[1] = kernel.writesState ? stateAddress() : 0
      // Allocating may have grown the memory, and with it every view.
      runtime.attach(arena.memory)
      runtime.unsafe = false
      const next = code(runtime, frame, at, rows)
      if (next === rows) return
      if (runtime.unsafe) {
        if (exact) throw new Bug('an exact kernel that gave up')
        exact = true
      } else runtime.open(arena, (rows - next) * 24)
      at = next
    }
  }

  /** One letter per column read: does it have a state lane? */
  #patternOf(batch: Batch): string {
    let pattern = ''
    for (const column of this.#reads) pattern += batch.columns[column].state === 0 ? '.' : 's'
    if (!this.#patterns.has(pattern)) {
      if (this.#patterns.size >= patternsMax) return 's'.repeat(this.#reads.length)
      this.#patterns.add(pattern)
    }
    return pattern
  }

  #variant(pattern: string, exact: boolean, selected: boolean): Variant | null {
    const key = `${pattern}${exact ? 'x' : ''}${selected ? 'i' : ''}`
    let variant = this.#variants.get(key)
    if (variant === undefined) {
      const kernel = this.#kernel(pattern, exact)
      variant = kernel === null ? null : { kernel, code: compileKernel(kernel, selected) }
      this.#variants.set(key, variant)
    }
    return variant
  }

  /** @returns null where a safe variant can't be, because of a constant */
  #kernel(pattern: string, exact: boolean): Kernel | null {
    const builder = new Builder(this.#inputs, (column) => pattern[this.#reads.indexOf(column)] === 's', exact)
    try {
      const writesState = this.#kind === 'filter' ? this.#lowerFilter(builder) : this.#lowerOutput(builder)
      const { body, columns, pool, literals } = builder
      return { exact, body, columns, pool, literals, writesState }
    } catch (error) {
      if (error === onlyExact) return null
      throw error
    }
  }

  #lowerFilter(builder: Builder): boolean {
    const { test, state } = lowerPredicate(builder, this.#scalar)
    builder.add({ k: 'keep', test })
    if (state !== null) builder.add({ k: 'report', state })
    return false
  }

  #lowerOutput(builder: Builder): boolean {
    const value = lower(builder, this.#scalar)
    store(builder, value, this.#scalar)
    if (value.state === null) return false
    builder.add({ k: 'storeState', value: value.state })
    return true
  }

  #frame(kernel: Kernel, arena: Arena, batch: Batch, pattern: string, selection: number, out: number): number[] {
    const frame = [out, 0, selection]
    for (const index of kernel.columns) {
      const column = batch.columns[index]
      const wanted = pattern[this.#reads.indexOf(index)] === 's'
      const state = column.state === 0 && wanted ? arena.allocateZeroed(batch.rows) : column.state
      frame.push(column.data, state, column.heap)
    }
    for (const literal of kernel.literals) {
      const address = arena.allocate(literal.length)
      arena.memory.u8.set(literal, address)
      frame.push(address)
    }
    if (frame.length !== frameHeader + kernel.columns.length * 3 + kernel.literals.length) throw new Bug('a bad frame')
    return frame
  }
}

/** Puts a cell into its lane; the slot of what is no value is zero. */
function store(b: Builder, value: Value, scalar: Scalar): void {
  const { type } = scalar
  const clean = (cell: Expr, zero: Expr): Expr =>
    value.state === null ? cell : choose(binary('==', value.state, i32(0)), cell, zero)
  switch (value.shape) {
    case 'flag':
      b.add({ k: 'store', what: 'i32', value: clean(value.value, falsehood) })
      return
    case 'i32':
      b.add({ k: 'store', what: 'i32', value: clean(value.value, i32(0)) })
      return
    case 'f64':
      b.add({ k: 'store', what: 'f64', value: clean(value.value, f64(0)) })
      return
    case 'int': {
      if (type.kind !== 'numeric' || type.precision! <= narrowDigits) {
        b.add({ k: 'store', what: 'int', value: clean(value.value, int(0)) })
        return
      }
      const put = b.put(value, b.exact ? 'putScaled' : 'putSmall', [value.value, f64(scaleOf(type))])
      b.add({ k: 'storeBytes', address: put.value, length: put.length! })
      return
    }
    case 'decimal':
    case 'interval': {
      const put = b.put(value, value.shape === 'decimal' ? 'putDecimal' : 'putInterval', [value.value])
      b.add({ k: 'storeBytes', address: put.value, length: put.length! })
      return
    }
    default: {
      const ref = b.ref(value)
      b.add({ k: 'storeBytes', address: clean(ref.value, f64(0)), length: clean(ref.length!, f64(0)) })
    }
  }
}
