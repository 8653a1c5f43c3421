/** Seconds on the wall and on all cores of this process. */
export interface Took {
  readonly seconds: number
  readonly cpuSeconds: number
}

export async function took(work: () => Promise<void> | void): Promise<Took> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}

/** What one core would need: threads beside the main one, garbage collection and compilation included. */
export function coreSeconds({ seconds, cpuSeconds }: Took): number {
  return Math.max(seconds, cpuSeconds)
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}
