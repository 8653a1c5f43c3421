/** The row that a page's address names: `eq.COLUMN=value` and `isnull=COLUMN`. */

export type RowKey = Readonly<Record<string, string | null>>

export function keyInAddress(query: URLSearchParams): RowKey {
  const key: Record<string, string | null> = {}
  for (const [name, value] of query) if (name.startsWith('eq.')) key[name.slice(3)] = value
  for (const column of query.getAll('isnull')) key[column] = null
  return key
}

/** For people: `city = Oslo and day = 2`. */
export function keyText(key: RowKey): string {
  return Object.entries(key)
    .map(([column, value]) => `${column} = ${value ?? 'null'}`)
    .join(', ')
}
