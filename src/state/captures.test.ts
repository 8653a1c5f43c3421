// What is forgotten between two ticks: never so much that the next one waits for long.
import { describe, expect, it } from 'vitest'
import { LinearMemory } from '../data/memory.ts'
import { Captures } from './captures.ts'
import type { ColdStore } from './cold.ts'
import { Heap } from './heap.ts'
import type { StatePart } from './state-part.ts'

const mebibyte = 1024 * 1024
const bucketBytes = 1024
const cold: ColdStore = { lookup: () => [], all: () => {} }

/** State of so many buckets of a kibibyte, in as many slots, all of which are outside. */
class Buckets implements StatePart {
  name = 'buckets'
  resident = false
  faults = 0
  looked = 0
  readonly #heap: Heap
  readonly #buckets: number[] = []
  #at = 0

  constructor(heap: Heap) {
    this.#heap = heap
  }

  get slots(): number {
    return this.#buckets.length
  }

  add(bytes: number): void {
    for (let i = 0; i < bytes / bucketBytes; i++) this.#buckets.push(this.#heap.allocate(bucketBytes))
  }

  evict(slots: number): boolean {
    this.looked += slots
    for (let left = slots; left > 0; left--) {
      const bucket = this.#buckets[this.#at]
      if (bucket !== 0) this.#heap.freeLater(bucket, bucketBytes)
      this.#buckets[this.#at] = 0
      this.#at = (this.#at + 1) % this.slots
    }
    return true
  }

  begin(): void {}
  slice(): boolean {
    return true
  }
  adopt(): void {}
  start(): void {}
  move(): void {}
  size(): never {
    throw new Error('nobody asks')
  }
}

function started(): { heap: Heap; part: Buckets; captures: Captures } {
  const heap = new Heap(new LinearMemory())
  const part = new Buckets(heap)
  return { heap, part, captures: new Captures([part], heap, cold) }
}

describe('forgetting', () => {
  it('goes on behind later ticks, until there is room again', () => {
    const { heap, part, captures } = started()
    part.add(41 * mebibyte)
    const budget = 40 * mebibyte
    let ticks = 0
    for (; heap.usedBytes > budget * 0.9; ticks++) {
      const before = heap.usedBytes
      captures.evict(budget)
      expect(before - heap.usedBytes).toBeGreaterThan(0)
      // A stretch is as large as what is looked at between two looks at the budget.
      expect(before - heap.usedBytes).toBeLessThanOrEqual(5 * mebibyte)
    }
    expect(ticks).toBeGreaterThan(1)
    const at = heap.usedBytes
    captures.evict(budget)
    expect(heap.usedBytes).toBe(at)
  })

  it('does not spare who is far beyond the budget', () => {
    const { heap, part, captures } = started()
    part.add(80 * mebibyte)
    captures.evict(40 * mebibyte)
    expect(heap.usedBytes).toBeLessThanOrEqual(42 * mebibyte)
  })

  it('looks at some slots only, where there is nothing to forget', () => {
    const { heap, part, captures } = started()
    part.add(300 * mebibyte)
    captures.evict(0)
    expect(heap.usedBytes).toBe(0)
    heap.allocate(41 * mebibyte)
    part.looked = 0
    captures.evict(40 * mebibyte)
    expect(part.looked).toBeLessThan(part.slots)
    for (let ticks = 0; ticks < 20; ticks++) captures.evict(40 * mebibyte)
    // All of them, in the two rounds of a walk, and then no more before something came back.
    expect(part.looked).toBeLessThan(3 * part.slots)
  })
})
