import cliProgress from 'cli-progress'

/** What is done after so few steps needs no bar. */
const updatesBefore = 4

/** A bar on stderr, where that is a terminal; elsewhere nothing. */
export class ProgressBar {
  readonly #title: string
  #updates = 0
  #bar: cliProgress.SingleBar | null = null

  constructor(title: string) {
    this.#title = title
  }

  /** @param figures what stands behind the bar */
  update(done: number, total: number, figures: string): void {
    if (this.#bar === null) {
      if (!process.stderr.isTTY || ++this.#updates < updatesBefore) return
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
    this.#bar.setTotal(total)
    this.#bar.update(Math.min(done, total), { figures })
  }

  stop(): void {
    this.#bar?.stop()
    this.#bar = null
  }
}
