/** How times and durations are written for people. Times are UTC, as they are everywhere in Millrace. */

const yearMs = 365.25 * 86_400_000

/** 0.4 ms, 12 ms, 3.2 s, 5 min, 2 h, 3 d, 25.4 years. */
export function duration(ms: number): string {
  const size = Math.abs(ms)
  if (size < 10) return `${trimmed(ms, 1)} ms`
  if (size < 1000) return `${Math.round(ms)} ms`
  if (size < 60_000) return `${trimmed(ms / 1000, size < 10_000 ? 1 : 0)} s`
  if (size < 3_600_000) return `${Math.round(ms / 60_000)} min`
  if (size < 86_400_000) return `${trimmed(ms / 3_600_000, 1)} h`
  if (size < 2 * yearMs) return `${trimmed(ms / 86_400_000, 1)} d`
  return `${trimmed(ms / yearMs, 1)} years`
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.0+$/, '')
}

/** `just now`, `12 s ago`, `3 min ago`. */
export function ago(ms: number): string {
  return ms < 1500 ? 'just now' : `${duration(ms)} ago`
}

/** Microseconds since 1970 as `2026-11-22 09:15:03`. */
export function moment(micros: string | number | bigint): string {
  return new Date(Number(BigInt(micros) / 1000n)).toISOString().slice(0, 19).replace('T', ' ')
}

/** The same with its milliseconds, without the day. */
export function clock(micros: string | number | bigint): string {
  return new Date(Number(BigInt(micros) / 1000n)).toISOString().slice(11, 23)
}

export function microsToMs(micros: string | number): number {
  return Number(BigInt(micros) / 1000n)
}
