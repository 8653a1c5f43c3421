import { pointerStep } from './row-reader.ts'

/** Where in a JSON text the last string or key is that has a NUL or half a surrogate pair in it: a JSON pointer. */
export function pointerToUnfit(json: string): string {
  let found = ''
  const visit = (value: unknown, pointer: string): void => {
    if (typeof value === 'string') {
      if (isUnfit(value)) found = pointer
    } else if (value !== null && typeof value === 'object') {
      for (const [key, member] of Object.entries(value)) {
        const at = pointer + pointerStep(key)
        if (isUnfit(key)) found = at
        visit(member, at)
      }
    }
  }
  visit(JSON.parse(json), '')
  return found
}

function isUnfit(text: string): boolean {
  return text.includes('\0') || /\p{Surrogate}/u.test(text)
}
