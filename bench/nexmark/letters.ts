import type { Random } from './random.ts'
import { coldChannels, hotChannels } from './rules.ts'

const poolBytes = 65536
/** No text is longer than this, so that every slice lies inside its pool. */
const longestSlice = 1024
const channels = hotChannels.length + coldChannels
const longestChannel = 16
const longestUrl = 88

/**
 * The benchmark's random texts, cut from pools of random letters: drawing every letter on its own would cost more
 * than all the rest of an event.
 */
export class Letters {
  /** Bytes at the buffer's start that the pools take. */
  static readonly bytes = 3 * poolBytes + channels * (longestChannel + longestUrl)
  readonly #u8: Uint8Array
  readonly #random: Random
  /** Where each channel's name and then its URL begins, and behind the last the end. */
  readonly #channels = new Int32Array(channels * 2 + 1)

  constructor(u8: Uint8Array, random: Random) {
    this.#u8 = u8
    this.#random = random
    fill(u8, 0, random, 32)
    fill(u8, poolBytes, random, 95)
    fill(u8, poolBytes * 2, random, -1)
    let at = poolBytes * 3
    for (let i = 0; i < channels; i++) {
      this.#channels[i * 2] = at
      at = i < hotChannels.length ? this.word(hotChannels[i], at) : this.#coldName(i - hotChannels.length, at)
      this.#channels[i * 2 + 1] = at
      at = i < hotChannels.length ? this.#page(at) : this.#coldUrl(i - hotChannels.length, at)
    }
    this.#channels[channels * 2] = at
  }

  /** Letters with a space now and then, 3 to `longest` - 1 of them, without spaces at the ends. @returns the end */
  text(longest: number, at: number): number {
    const u8 = this.#u8
    let start = this.#random.below(poolBytes - longestSlice)
    let end = start + 3 + this.#random.below(longest - 3)
    while (start < end && u8[start] === 32) start++
    while (start < end && u8[end - 1] === 32) end--
    return this.#copy(start, end, at)
  }

  /** Exactly `length` letters. */
  exact(length: number, at: number): number {
    const start = poolBytes * 2 + this.#random.below(poolBytes - longestSlice)
    return this.#copy(start, start + length, at)
  }

  word(text: string, at: number): number {
    const u8 = this.#u8
    for (let i = 0; i < text.length; i++) u8[at + i] = text.charCodeAt(i)
    return at + text.length
  }

  number(value: number, at: number): number {
    const u8 = this.#u8
    let digits = 1
    for (let bound = 10; value >= bound; bound *= 10) digits++
    for (let i = at + digits - 1; i >= at; i--) {
      const rest = Math.floor(value / 10)
      u8[i] = 48 + value - rest * 10
      value = rest
    }
    return at + digits
  }

  digits4(at: number): number {
    const u8 = this.#u8
    let value = this.#random.below(10_000)
    for (let i = at + 3; i >= at; i--) {
      const rest = (value / 10) | 0
      u8[i] = 48 + value - rest * 10
      value = rest
    }
    return at + 4
  }

  /** A channel's name. @param channel the hot ones come first */
  channel(channel: number, at: number): number {
    return this.#copy(this.#channels[channel * 2], this.#channels[channel * 2 + 1], at)
  }

  /** A channel's page: always the same one. */
  url(channel: number, at: number): number {
    return this.#copy(this.#channels[channel * 2 + 1], this.#channels[channel * 2 + 2], at)
  }

  #coldName(channel: number, at: number): number {
    return this.number(channel, this.word('channel-', at))
  }

  /** Nine of ten pages name their channel, with its bits turned round. */
  #coldUrl(channel: number, at: number): number {
    at = this.#page(at)
    return this.#random.below(10) > 0 ? this.number(reversedBits(channel), this.word('&channel_id=', at)) : at
  }

  #page(at: number): number {
    at = this.word('https://www.nexmark.com/', at)
    for (let part = 0; part < 3; part++) {
      const start = poolBytes + this.#random.below(poolBytes - longestSlice)
      at = this.word('/', this.#copy(start, start + 3 + this.#random.below(2), at))
    }
    return this.word('item.htm?query=1', at)
  }

  #copy(start: number, end: number, at: number): number {
    this.#u8.copyWithin(at, start, end)
    return at + end - start
  }
}

function fill(u8: Uint8Array, start: number, random: Random, special: number): void {
  for (let i = start; i < start + poolBytes; i++) {
    u8[i] = special >= 0 && random.below(13) === 0 ? special : 97 + random.below(26)
  }
}

/** The absolute value of the 32 bits in reverse order, as the rules number channels in a URL. */
function reversedBits(value: number): number {
  let bits = value
  bits = ((bits >>> 1) & 0x55555555) | ((bits & 0x55555555) << 1)
  bits = ((bits >>> 2) & 0x33333333) | ((bits & 0x33333333) << 2)
  bits = ((bits >>> 4) & 0x0f0f0f0f) | ((bits & 0x0f0f0f0f) << 4)
  bits = ((bits >>> 8) & 0x00ff00ff) | ((bits & 0x00ff00ff) << 8)
  return Math.abs((bits >>> 16) | (bits << 16))
}
