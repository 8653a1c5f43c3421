/** Path of a topic or view. */
export function pathOf(kind: 'topics' | 'views', name: string): string {
  return `/v1/${kind}/${encodeURIComponent(name)}`
}

/** A query of the pairs that have a value. */
export function queryOf(pairs: readonly (readonly [string, string | number | undefined])[]): string {
  const given = pairs.filter(([, value]) => value !== undefined)
  return `?${given.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value!)}`).join('&')}`
}
