import type { Clock } from '../io.ts'

/** 2024-01-01 00:00:00 UTC. */
const startMicros = 1_704_067_200_000_000n

interface Due {
  readonly micros: number
  readonly order: number
  /** A timer of the program, as opposed to work of a twin that is under way. */
  readonly timer: boolean
  task: (() => void) | null
}

/**
 * Time that stands still unless it is moved: by `advance`, or by a twin's work under way (a disk's write that takes
 * 80 µs moves it by 80 µs). With `idle: 'advance'` it also jumps to the next timer when nothing else can run.
 * One task runs at a time, and all that follows from it before the next one: the order is the seed's alone.
 */
export class VirtualClock implements Clock {
  readonly #idle: 'stand' | 'advance'
  readonly #start: bigint
  #micros = 0
  #orders = 0
  /** Twins' work under way. */
  #works = 0
  #heap: Due[] = []
  #pumping = false
  #limit = -1
  #reached: (() => void) | null = null
  #stopped = false

  constructor(options: { readonly idle?: 'stand' | 'advance'; readonly startMicros?: bigint } = {}) {
    this.#idle = options.idle ?? 'stand'
    this.#start = options.startMicros ?? startMicros
  }

  nowMicros(): bigint {
    return this.#start + BigInt(this.#micros)
  }

  monotonicMs(): number {
    return this.#micros / 1000
  }

  after(delayMs: number, task: () => void): () => void {
    return this.#add(Math.max(0, delayMs) * 1000, task, true)
  }

  /** Runs a twin's own work after so many microseconds. */
  work(delayMicros: number, task: () => void): void {
    this.#add(delayMicros, task, false)
  }

  /** Moves time on by `ms`, running everything that falls due on the way. */
  async advance(ms: number): Promise<void> {
    const target = Math.max(this.#limit, this.#micros) + Math.round(ms * 1000)
    await new Promise<void>((resolve) => {
      this.#limit = target
      this.#reached = resolve
      this.#pump()
    })
    if (!this.#stopped) this.#micros = Math.max(this.#micros, target)
  }

  /** Nothing runs any more: the machine stopped. */
  stop(): void {
    this.#stopped = true
    this.#heap = []
    this.#arrive()
  }

  #add(delayMicros: number, task: () => void, timer: boolean): () => void {
    if (this.#stopped) return () => {}
    const due: Due = { micros: this.#micros + Math.round(delayMicros), order: this.#orders++, timer, task }
    if (!timer) this.#works++
    push(this.#heap, due)
    this.#pump()
    return () => {
      due.task = null
    }
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => this.#step())
  }

  // Each task gets a turn of Node's loop, so that all promises it settles have run before the next one.
  #step(): void {
    this.#pumping = false
    while (this.#heap.length > 0 && this.#heap[0].task === null) pop(this.#heap)
    const due = this.#heap[0]
    if (due === undefined || due.micros > Math.max(this.#limit, this.#micros)) this.#arrive()
    if (due === undefined || !this.#mayRun(due)) return
    pop(this.#heap)
    this.#micros = Math.max(this.#micros, due.micros)
    const task = due.task!
    due.task = null
    if (!due.timer) this.#works--
    this.#pump()
    task()
  }

  #mayRun(due: Due): boolean {
    // Work under way ends by itself, and timers on the way to its end fire.
    return due.micros <= Math.max(this.#limit, this.#micros) || this.#works > 0 || this.#idle === 'advance'
  }

  #arrive(): void {
    this.#limit = -1
    const reached = this.#reached
    this.#reached = null
    reached?.()
  }
}

function before(a: Due, b: Due): boolean {
  return a.micros < b.micros || (a.micros === b.micros && a.order < b.order)
}

function push(heap: Due[], due: Due): void {
  let at = heap.push(due) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(due, heap[parent])) break
    heap[at] = heap[parent]
    at = parent
  }
  heap[at] = due
}

function pop(heap: Due[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    let child = at * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
    if (!before(heap[child], last)) break
    heap[at] = heap[child]
    at = child
  }
  heap[at] = last
}
