import type { Prng } from '../src/io/twin/prng.ts'
import { codeOf, type Life } from './life.ts'

/** Who follows a stream: pulls when it likes, and loses the connection now and then. */
export abstract class Follower<Message> {
  /** It has all there is, and waits for more. */
  waiting = false
  /** The program is gone. */
  protected stopped = false

  stop(): void {
    this.stopped = true
  }

  protected abstract take(life: Life, message: Message): void

  /** Takes some of a connection. @returns whether another one may follow; else the stream has ended */
  protected async drain(life: Life, prng: Prng, cursor: AsyncIterator<Message>): Promise<boolean> {
    for (let pulls = 1 + prng.below(12); (pulls > 0 || life.settling) && !this.stopped; pulls--) {
      if (prng.chance(0.6)) await life.sleep(prng.below(400))
      const message = await this.#pull(life, cursor)
      if (message === null) return false
      this.take(life, message)
    }
    await cursor.return?.()
    return true
  }

  async #pull(life: Life, cursor: AsyncIterator<Message>): Promise<Message | null> {
    this.waiting = true
    try {
      const { value, done } = await cursor.next()
      return done === true ? null : value
    } catch (error) {
      const code = codeOf(error)
      const poisoned = code === 'log/poisoned' && life.plan.failSync !== null
      if (poisoned || (life.closing && code === 'log/closed')) return null
      throw error
    } finally {
      this.waiting = false
    }
  }
}
