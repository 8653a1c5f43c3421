import { Bug, type ErrorPlace, MillraceError } from '../data/errors.ts'

/** The exit code for what went wrong: see the command line's contract. */
export function exitCodeOf(error: unknown): number {
  return error instanceof MillraceError ? error.exit : 1
}

/** An error as people read it: code, message, place with the source line and a caret, one hint. */
export function describeError(error: unknown): string {
  if (!(error instanceof MillraceError)) return describeUnexpected(error)
  const lines = [`error ${error.code}: ${error.message}`]
  const where = placeText(error.place)
  if (where !== '') lines.push(`  at ${where}`)
  lines.push(...sourceLines(error.place))
  // One mistake is in the message already; of several each says where it is.
  if (error.errors.length > 1) {
    for (const { pointer, detail } of error.errors.slice(0, 10)) lines.push(`  ${pointer}: ${detail}`)
    if (error.errors.length > 10) lines.push(`  … and ${error.errors.length - 10} more`)
  }
  if (error.hint !== undefined) lines.push(`  hint: ${error.hint}`)
  return `${lines.join('\n')}\n`
}

function describeUnexpected(error: unknown): string {
  if (error instanceof Bug) return `error: this is a bug of Millrace: ${error.stack ?? error.message}\n`
  return `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`
}

/** `FILE:line:column /pointer`, as far as it is known. */
function placeText({ file, line, column, pointer, topic, offset }: ErrorPlace): string {
  const numbers = [line, column].filter((n) => n !== undefined)
  const parts: string[] = []
  if (file !== undefined) parts.push([file, ...numbers].join(':'))
  else if (numbers.length > 0) parts.push(`line ${numbers.join(':')}`)
  if (pointer !== undefined && pointer !== '') parts.push(pointer)
  if (topic !== undefined && offset !== undefined) parts.push(`offset ${offset} of ${topic}`)
  return parts.join(' ')
}

const widest = 120

/** The source line with a caret under the column; of a long line, the part around it. */
function sourceLines({ source, line, column }: ErrorPlace): string[] {
  if (source === undefined || line === undefined || column === undefined) return []
  const start = Math.max(0, column - 1 - widest / 2)
  const shown = source.slice(start, start + widest)
  const margin = `  ${line} | `
  // Tabs stay tabs, so that the caret stands where the terminal puts the column.
  const before = shown.slice(0, column - 1 - start).replace(/[^\t]/g, ' ')
  return [`${margin}${shown}`, `${' '.repeat(margin.length - 2)}| ${before}^`]
}
