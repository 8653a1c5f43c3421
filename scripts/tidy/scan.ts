// Reads just enough of TypeScript to tell code from comments, strings, templates and regular expressions, so that
// the rules below can search with plain patterns and still never be fooled by a quoted word.

export interface Import {
  readonly specifier: string
  readonly line: number
  /** Erased by the compiler: it still counts for the direction between rooms. */
  readonly typeOnly: boolean
  readonly form: 'import' | 'export' | 'dynamic'
}

export interface Scanned {
  /** The text with comments and the insides of strings, templates and patterns blanked; offsets and lines stay. */
  readonly code: string
  /** The offsets of each string literal's contents in the text. */
  readonly strings: readonly { readonly start: number; readonly end: number }[]
}

const beforePattern =
  /(?:^|[-+*%=<>&|^!~?:;,([{}]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield))\s*$/

export function scan(text: string): Scanned {
  const out: string[] = []
  const strings: { start: number; end: number }[] = []
  // One entry per open `${`: how many braces are open inside it.
  const templates: number[] = []
  let at = 0

  const blankTo = (end: number): void => {
    for (; at < end; at++) out.push(text[at] === '\n' ? '\n' : ' ')
  }
  const template = (): void => {
    while (at < text.length) {
      if (text[at] === '`') {
        out.push(text[at++]!)
        return
      }
      if (text.startsWith('${', at)) {
        out.push('${')
        at += 2
        templates.push(0)
        return
      }
      blankTo(Math.min(text.length, at + (text[at] === '\\' ? 2 : 1)))
    }
  }

  while (at < text.length) {
    const char = text[at]!
    if (text.startsWith('//', at) || (at === 0 && text.startsWith('#!'))) {
      blankTo(endOr(text.indexOf('\n', at), text.length))
    } else if (text.startsWith('/*', at)) {
      blankTo(endOr(text.indexOf('*/', at + 2), text.length - 2) + 2)
    } else if (char === "'" || char === '"') {
      const end = closing(text, at + 1, char)
      strings.push({ start: at + 1, end })
      out.push(char)
      at++
      blankTo(end)
      if (at < text.length) out.push(text[at++]!)
    } else if (char === '`') {
      out.push(char)
      at++
      template()
    } else if (char === '/' && beforePattern.test(out.slice(-80).join(''))) {
      const end = patternEnd(text, at + 1)
      out.push('/')
      at++
      blankTo(end)
    } else {
      const depth = templates.length - 1
      if (depth >= 0 && char === '{') templates[depth]!++
      if (depth >= 0 && char === '}' && templates[depth]!-- === 0) {
        templates.pop()
        out.push(char)
        at++
        template()
        continue
      }
      out.push(char)
      at++
    }
  }
  return { code: out.join(''), strings }
}

function endOr(found: number, otherwise: number): number {
  return found < 0 ? otherwise : found
}

function closing(text: string, from: number, quote: string): number {
  let at = from
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1
  return Math.min(at, text.length)
}

function patternEnd(text: string, from: number): number {
  let inClass = false
  let at = from
  for (; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '[') inClass = true
    else if (text[at] === ']') inClass = false
    else if (text[at] === '/' && !inClass) return at
  }
  return at
}

export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++
  return line
}

// Each ends in the opening quote of the specifier.
export const staticImport = /(?<![\w$.])import\s+(type\s+(?!from\b))?(?:[\w$*{},\s]+?(?<=[\s}])from\s*)?(['"])/g
export const reExport = /(?<![\w$.])export\s+(type\s+)?(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\})\s*from\s*(['"])/g
const dynamicImport = /(?<![\w$.])import\s*\(\s*(['"])/g

/** All imports of a file: static, re-exported, dynamic with a literal name, and `import('…')` in types. */
export function importsOf(text: string, scanned: Scanned = scan(text)): Import[] {
  const found: (Import & { at: number })[] = []
  const collect = (pattern: RegExp, form: Import['form'], typed: boolean): void => {
    for (const match of scanned.code.matchAll(pattern)) {
      const start = match.index + match[0].length
      const string = scanned.strings.find((s) => s.start === start)
      if (string === undefined) continue
      found.push({
        specifier: text.slice(string.start, string.end),
        line: lineAt(text, match.index),
        typeOnly: typed && match[1] !== undefined,
        form,
        at: match.index,
      })
    }
  }
  collect(staticImport, 'import', true)
  collect(reExport, 'export', true)
  collect(dynamicImport, 'dynamic', false)
  return found.sort((a, b) => a.at - b.at).map(({ at: _, ...rest }) => rest)
}
