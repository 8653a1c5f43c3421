/**
 * Takes JSON apart without reading its values: what the server wrote is printed again as it was, so that no number is
 * rounded on the way. Only for JSON that a server of ours wrote: it is not checked.
 */

/** The elements of an array, as text. */
export function elements(json: string): string[] {
  return parts(json)
}

/** The members of an object by name, as text. */
export function members(json: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of parts(json)) {
    const end = endOfString(part, 0)
    const colon = part.indexOf(':', end)
    found.set(JSON.parse(part.slice(0, end)) as string, part.slice(colon + 1).trim())
  }
  return found
}

/** An object as text. @param names as JSON @param values as JSON, in their order */
export function objectText(names: readonly string[], values: readonly string[]): string {
  return `{${values.map((value, i) => `${names[i]}:${value}`).join(',')}}`
}

/** What stands between the brackets, cut at the commas of the outermost level. */
function parts(json: string): string[] {
  const text = json.trim()
  const found: string[] = []
  let depth = 0
  let from = 1
  for (let at = 1; at < text.length - 1; at++) {
    const c = text[at]
    if (c === '"') at = endOfString(text, at) - 1
    else if (c === '[' || c === '{') depth++
    else if (c === ']' || c === '}') depth--
    else if (c === ',' && depth === 0) {
      found.push(text.slice(from, at).trim())
      from = at + 1
    }
  }
  const last = text.slice(from, -1).trim()
  if (last !== '') found.push(last)
  return found
}

/** Behind the string that begins at `at`. */
function endOfString(text: string, at: number): number {
  let end = at + 1
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  return end + 1
}
