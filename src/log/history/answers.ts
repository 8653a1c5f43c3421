import { align8 } from '../../data/memory.ts'
import type { KeyedAnswer } from '../commit.ts'
import { viewOf } from '../frame.ts'

/**
 * Answers under idempotency keys, one behind the other, little-endian and 8-byte aligned:
 *
 *     f64 commit time, µs · f64 tick · u32 length in all · u32 offsets · u32 digest, u32 scope, u32 key: their lengths ·
 *     u32 0 · (f64 topic · f64 first · f64 last)… · digest, scope, key
 */
const fixedBytes = 40
const text = new TextEncoder()

export interface TimedAnswer {
  readonly answer: KeyedAnswer
  readonly micros: number
}

export function encodeAnswers(answers: readonly TimedAnswer[]): Uint8Array {
  const parts = answers.map(({ answer, micros }) => {
    const scope = text.encode(answer.scope)
    const key = text.encode(answer.key)
    return { answer, micros, strings: [answer.digest, scope, key] as const }
  })
  const sizes = parts.map(({ answer, strings }) =>
    align8(fixedBytes + answer.offsets.length * 24 + strings.reduce((sum, { length }) => sum + length, 0)),
  )
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
  const view = viewOf(bytes)
  let at = 0
  parts.forEach(({ answer, micros, strings }, i) => {
    view.setFloat64(at, micros, true)
    view.setFloat64(at + 8, answer.tick, true)
    view.setUint32(at + 16, sizes[i], true)
    view.setUint32(at + 20, answer.offsets.length, true)
    strings.forEach(({ length }, k) => void view.setUint32(at + 24 + 4 * k, length, true))
    let next = at + fixedBytes
    for (const { topic, firstOffset, lastOffset } of answer.offsets) {
      view.setFloat64(next, topic, true)
      view.setFloat64(next + 8, firstOffset, true)
      view.setFloat64(next + 16, lastOffset, true)
      next += 24
    }
    for (const string of strings) {
      bytes.set(string, next)
      next += string.length
    }
    at += sizes[i]
  })
  return bytes
}

export function decodeAnswers(bytes: Uint8Array): TimedAnswer[] {
  const view = viewOf(bytes)
  const decoder = new TextDecoder()
  const answers: TimedAnswer[] = []
  for (let at = 0; at < bytes.byteLength; at += view.getUint32(at + 16, true)) {
    let next = at + fixedBytes
    const offsets = Array.from({ length: view.getUint32(at + 20, true) }, () => {
      const topic = view.getFloat64(next, true)
      const firstOffset = view.getFloat64(next + 8, true)
      const lastOffset = view.getFloat64(next + 16, true)
      next += 24
      return { topic, firstOffset, lastOffset }
    })
    const string = (k: number): Uint8Array => bytes.subarray(next, (next += view.getUint32(at + 24 + 4 * k, true)))
    const digest = string(0).slice()
    const scope = decoder.decode(string(1))
    const key = decoder.decode(string(2))
    const answer = { scope, key, digest, tick: view.getFloat64(at + 8, true), offsets }
    answers.push({ answer, micros: view.getFloat64(at, true) })
  }
  return answers
}
