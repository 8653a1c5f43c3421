/** uuid as PostgreSQL reads and prints it: 16 bytes, which compare as the value does. */

const hyphens = /^[0-9a-f]{4}(?:-?[0-9a-f]{4}){7}$/i

/**
 * Reads 32 hex digits of either case, with or without hyphens behind every fourth, in braces or not.
 * @returns null for other text
 */
export function parseUuid(text: string): Uint8Array | null {
  const bare = text.startsWith('{') && text.endsWith('}') ? text.slice(1, -1) : text
  if (!hyphens.test(bare)) return null
  const digits = bare.replaceAll('-', '')
  const bytes = new Uint8Array(16)
  for (let i = 0; i < 16; i++) bytes[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

const hex = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

export function formatUuid(u8: Uint8Array, start = 0): string {
  let text = ''
  for (let i = 0; i < 16; i++) text += (i === 4 || i === 6 || i === 8 || i === 10 ? '-' : '') + hex[u8[start + i]]
  return text
}
