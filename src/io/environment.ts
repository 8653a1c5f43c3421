/** A variable of the process's environment, or null. */
export function environment(name: string): string | null {
  return process.env[name] ?? null
}
