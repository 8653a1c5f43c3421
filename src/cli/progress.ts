import type { SingleBar } from 'cli-progress'

/** What is done after so few steps needs no bar. */
const updatesBefore = 4

/** A bar on stderr, where that is a terminal; elsewhere nothing. */
export class ProgressBar {
  readonly #title: string
  #updates = 0
  #bar: SingleBar | null = null
  #stopped = false

  constructor(title: string) {
    this.#title = title
  }

  /** @param figures what stands behind the bar */
  update(done: number, total: number, figures: string): void {
    if (this.#bar === null) {
      // Most commands end before there is a bar to draw: its library is loaded for the others.
      if (process.stderr.isTTY && ++this.#updates === updatesBefore) void this.#begin(done, total, figures)
      return
    }
    this.#bar.setTotal(total)
    this.#bar.update(Math.min(done, total), { figures })
  }

  async #begin(done: number, total: number, figures: string): Promise<void> {
    const { default: cliProgress } = await import('cli-progress')
    if (this.#stopped) return
    this.#bar = new cliProgress.SingleBar({
      format: `${this.#title} {bar} {percentage} % · {figures}`,
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 30,
    })
    this.#bar.start(total, done, { figures })
  }

  stop(): void {
    this.#stopped = true
    this.#bar?.stop()
    this.#bar = null
  }
}
