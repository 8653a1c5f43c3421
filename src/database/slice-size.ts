/** So long an engine is held up by a slice of a capture. */
const sliceMs = 1
const leastBytes = 32 * 1024
const mostBytes = 1024 * 1024
/** A slice may be so many times as large as the one before. */
const growth = 1.5

/**
 * How large slices of a capture are, so that each holds the engine up for about a millisecond: on a fast machine as
 * on one that others keep busy, of state that is quickly written and of such that is not.
 */
export class SliceSize {
  bytes = 128 * 1024

  /** @param ms what the last slice, of about `bytes`, took */
  took(ms: number): void {
    const fits = ms > 0 ? (this.bytes * sliceMs) / ms : mostBytes
    this.bytes = Math.round(Math.max(leastBytes, Math.min(mostBytes, this.bytes * growth, fits)))
  }
}
