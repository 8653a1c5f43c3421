/** No step is smaller, so that what it costs to begin one is paid rarely, or larger: its speed is not that of the next. */
const leastBytes = 4 * 1024
const mostBytes = 256 * 1024
/** Before anything was measured: what a cold program makes of that takes less than a slice. */
const firstBytesPerMs = 16 * 1024
/** A step that waited for a core looks slow, and is not: what was measured before is forgotten by and by only. */
const remembered = 0.7

/** How much of a capture is taken between two looks at the clock, so that a slice ends about when it should. */
export class SlicePace {
  #bytesPerMs = firstBytesPerMs

  /** @param leftMs of the slice; it may turn out slower than it was, so that half of it is planned */
  stepBytes(leftMs: number): number {
    return Math.min(mostBytes, Math.max(leastBytes, Math.floor((leftMs / 2) * this.#bytesPerMs)))
  }

  /** @param bytes what a step made of `asked` */
  took(asked: number, bytes: number, ms: number): void {
    // The rest of an arrangement, or what turned out to be captured already, says little.
    if (bytes * 2 < asked) return
    this.#bytesPerMs = Math.max(bytes / Math.max(ms, 0.01), remembered * this.#bytesPerMs)
  }
}
