/** Names and values as each language writes them, whatever is in them. */

/** Words that PostgreSQL takes for names in quotes only. */
const reserved = new Set(
  (
    'all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation ' +
    'column concurrently constraint create cross current_catalog current_date current_role current_schema ' +
    'current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for ' +
    'foreign freeze from full grant group having ilike in initially inner intersect into is isnull join lateral ' +
    'leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps ' +
    'placing primary references returning right select session_user similar some symmetric table tablesample then to ' +
    'trailing true union unique user using variadic verbose when where window with'
  ).split(' '),
)

/** An identifier as SQL wants it. */
export function sqlName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `"${name.replaceAll('"', '""')}"`
}

/** A text as SQL wants it: of an unknown type, which the column that it is compared with decides. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** `a = '1' AND b IS NULL` */
export function sqlCondition(key: Readonly<Record<string, string | null>>): string {
  return Object.entries(key)
    .map(([name, value]) => (value === null ? `${sqlName(name)} IS NULL` : `${sqlName(name)} = ${sqlText(value)}`))
    .join(' AND ')
}

/** ` ORDER BY …`, for columns with a minus before those that descend. */
export function sqlOrder(order: readonly string[]): string {
  if (order.length === 0) return ''
  const keys = order.map((key) => (key.startsWith('-') ? `${sqlName(key.slice(1))} DESC` : sqlName(key)))
  return ` ORDER BY ${keys.join(', ')}`
}

/** A text as a shell hands it on. */
export function shellText(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

/** A value as TypeScript: texts in single quotes, those of several lines as they stand. */
export function tsValue(value: unknown): string {
  if (typeof value === 'string') {
    // In a template a carriage return would be read as a line's end like all others.
    if (!value.includes('\n') || value.includes('\r')) return quoted(value)
    return `\`${value.replace(/[\\`]|\$(?=\{)/g, '\\$&')}\``
  }
  if (Array.isArray(value)) return `[${value.map(tsValue).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([name, field]) => `${tsKey(name)}: ${tsValue(field)}`)
    return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
  }
  return JSON.stringify(value)
}

const plainName = /^[A-Za-z_$][\w$]*$/

function tsKey(name: string): string {
  // Without brackets it would say what the object's prototype is.
  if (name === '__proto__') return `['${name}']`
  return plainName.test(name) ? name : quoted(name)
}

/** `.name`, or `['a name']`. */
export function tsProperty(name: string): string {
  return plainName.test(name) ? `.${name}` : `[${quoted(name)}]`
}

/** Options behind other arguments: nothing where there are none. */
export function tsOptions(options: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(options).filter(([, value]) => value !== null && value !== undefined)
  return given.length === 0 ? '' : tsValue(Object.fromEntries(given))
}
