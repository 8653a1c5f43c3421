import cliProgress from 'cli-progress'

/** How often a line is said where there is no terminal. */
const lineMs = 3_000

/** A bar on a terminal, a line every few seconds elsewhere; nothing for what is over at once. */
export class Bar {
  readonly #title: string
  readonly #total: number
  #bar: cliProgress.SingleBar | null = null
  #started = 0
  #first = 0
  #said = 0

  constructor(title: string, total: number) {
    this.#title = title
    this.#total = total
  }

  /** Rates count from here; without it, from the first update. */
  begin(done: number): void {
    this.#started = performance.now()
    this.#said = this.#started
    this.#first = done
  }

  /**
   * @param done of the total
   * @param figures makes the text behind the bar of what was done in so many seconds since the beginning
   */
  update(done: number, figures: (done: number, seconds: number) => string): void {
    if (this.#started === 0) this.begin(done)
    const now = performance.now()
    const text = figures(done - this.#first, Math.max(0.001, (now - this.#started) / 1000))
    if (process.stderr.isTTY) {
      this.#bar ??= this.#open(text)
      this.#bar.update(Math.min(this.#total, done), { text })
    } else if (now - this.#said >= lineMs) {
      this.#said = now
      const percent = Math.floor((100 * done) / this.#total)
      console.error(`${this.#title}: ${percent} %, ${text}`)
    }
  }

  /** Leaves the terminal as it was, with the bar's last state. */
  stop(): void {
    this.#bar?.stop()
    this.#bar = null
  }

  #open(text: string): cliProgress.SingleBar {
    const bar = new cliProgress.SingleBar({
      format: `${this.#title} {bar} {percentage} % · {text}`,
      stream: process.stderr,
      hideCursor: true,
      linewrap: false,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      // Signals are the program's own business.
      gracefulExit: false,
    })
    bar.start(this.#total, 0, { text })
    return bar
  }
}
