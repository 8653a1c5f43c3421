/** How long something took on the wall, and how much processor time on all cores together. */
export interface Took {
  readonly seconds: number
  /**
   * What one core would need: other threads' work, garbage collection and compilation included, waiting left out.
   * Unlike the wall it hardly changes when somebody else keeps the machine busy.
   */
  readonly cpuSeconds: number
}

export async function took(work: () => Promise<void> | void): Promise<Took> {
  const stop = stopwatch()
  await work()
  return stop()
}

/** Starts. @returns stops and tells */
export function stopwatch(): () => Took {
  const cpu = process.cpuUsage()
  const start = performance.now()
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { seconds: (performance.now() - start) / 1000, cpuSeconds: (user + system) / 1e6 }
  }
}

/** The medians of both. */
export function medianTook(all: readonly Took[]): Took {
  return { seconds: median(all.map((one) => one.seconds)), cpuSeconds: median(all.map((one) => one.cpuSeconds)) }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}
