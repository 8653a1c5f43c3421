import type { CreateStmt, CreateTableAsStmt, DropStmt, Node, ParseResult, SelectStmt, ViewStmt } from 'libpg-query'
import { Bug, invariant, type MillraceError } from '../data/errors.ts'
import { checkNesting, checkTree, maxCharacters } from './bounds.ts'
import { refuseDialects, syntaxHint } from './dialects.ts'
import { refusal, unsupported } from './refuse.ts'
import { characterAt, placeOfCharacter, type Source, sourceOf, textOf, tokenIndexAt } from './source.ts'
import { spelled } from './tokens.ts'

export type {
  A_Const,
  A_Expr,
  Alias,
  BooleanTest,
  CaseExpr,
  ColumnDef,
  ColumnRef,
  Constraint,
  CreateStmt,
  CreateTableAsStmt,
  DefElem,
  DropStmt,
  FuncCall,
  JoinExpr,
  Node,
  ParamRef,
  RangeFunction,
  RangeSubselect,
  RangeVar,
  ResTarget,
  SelectStmt,
  SortBy,
  SQLValueFunction,
  SubLink,
  TypeCast,
  TypeName,
  ViewStmt,
  WindowDef,
  WithClause,
} from 'libpg-query'

interface StatementText {
  /** The statement's own words, without what surrounds it. */
  readonly text: string
  /** Where it begins in the source, in characters. */
  readonly start: number
  /** What the statement's `location`s count in. */
  readonly source: Source
}

/** One statement of a text, with PostgreSQL's own syntax tree. */
export type Statement = StatementText &
  (
    | { readonly kind: 'createTopic'; readonly node: CreateStmt }
    | { readonly kind: 'createView'; readonly node: ViewStmt }
    | { readonly kind: 'createMaterializedView'; readonly node: CreateTableAsStmt }
    | { readonly kind: 'select'; readonly node: SelectStmt }
    | { readonly kind: 'drop'; readonly node: DropStmt }
    | { readonly kind: 'other'; readonly node: Node }
  )

export type StatementOf<K extends Statement['kind']> = Extract<Statement, { readonly kind: K }>

let parser: ((text: string) => ParseResult) | null = null

/** Loads PostgreSQL's parser; `parseSql` is synchronous from then on. Calling it again costs nothing. */
export async function loadParser(): Promise<void> {
  if (parser !== null) return
  const library = await import('libpg-query')
  await library.loadModule()
  parser = library.parseSync
}

/**
 * Splits a text into statements and parses each. An empty text has none.
 * @param file names the text in errors
 * @param linesBefore lines at the text's start that the user did not write
 * @throws MillraceError sql/syntax, sql/unsupported with the place
 */
export function parseSql(text: string, file?: string, linesBefore = 0): Statement[] {
  if (parser === null) throw new Bug('parseSql before loadParser')
  if (text.length > maxCharacters) {
    throw unsupported(
      `SQL longer than ${maxCharacters} characters is not supported`,
      file === undefined ? {} : { file },
    )
  }
  const source = sourceOf(text, file, linesBefore)
  checkCharacters(source)
  if (source.tokens.length === 0) return []
  checkNesting(source)
  refuseDialects(source)
  const tree = parse(parser, source)
  checkTree(tree, source)
  return (tree.stmts ?? []).map(({ stmt, stmt_location, stmt_len }) => {
    invariant(stmt !== undefined, 'the parser returned an empty statement')
    const from = characterAt(source, stmt_location ?? 0)
    const to = stmt_len ? characterAt(source, (stmt_location ?? 0) + stmt_len) : text.length
    return statement(stmt, source, from, to)
  })
}

function statement(node: Node, source: Source, from: number, to: number): Statement {
  const first = source.tokens[tokenIndexAt(source, from)]
  const next = tokenIndexAt(source, to)
  let last = next - 1
  while (last > 0 && textOf(source, last) === ';') last--
  const start = first.start
  const of: StatementText = { text: source.text.slice(start, source.tokens[last].end), start, source }
  if ('CreateStmt' in node) return { ...of, kind: 'createTopic', node: node.CreateStmt }
  if ('ViewStmt' in node) return { ...of, kind: 'createView', node: node.ViewStmt }
  if ('SelectStmt' in node) return { ...of, kind: 'select', node: node.SelectStmt }
  if ('DropStmt' in node) return { ...of, kind: 'drop', node: node.DropStmt }
  if ('CreateTableAsStmt' in node && node.CreateTableAsStmt.objtype === 'OBJECT_MATVIEW') {
    return { ...of, kind: 'createMaterializedView', node: node.CreateTableAsStmt }
  }
  return { ...of, kind: 'other', node }
}

/** What the parser would read wrongly without a word: it stops at a NUL, and half a surrogate pair eats its neighbour. */
function checkCharacters(source: Source): void {
  const { text, tokens } = source
  const nul = text.indexOf('\0')
  if (nul >= 0) throw refusal('sql/syntax', 'the text has a NUL character in it', placeOfCharacter(source, nul))
  const half = text.search(/\p{Surrogate}/u)
  if (half >= 0) {
    throw refusal('sql/syntax', 'the text is not valid Unicode: half a surrogate pair', placeOfCharacter(source, half))
  }
  for (const token of tokens) {
    if (token.kind !== 'word' && token.kind !== 'quoted') continue
    if (token.end - token.start <= 21) continue
    const name = spelled(text, token)
    if (new TextEncoder().encode(name).length <= 63) continue
    throw refusal(
      'sql/definition',
      `the name ${name.slice(0, 20)}… is longer than 63 bytes`,
      placeOfCharacter(source, token.start),
      'PostgreSQL would cut it off there: choose a shorter name',
    )
  }
}

function parse(run: (text: string) => ParseResult, source: Source): ParseResult {
  try {
    return run(source.text)
  } catch (error) {
    throw syntaxError(error, source)
  }
}

function syntaxError(error: unknown, source: Source): MillraceError {
  if (!(error instanceof Error) || !('sqlDetails' in error)) {
    throw new Bug(`PostgreSQL's parser failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  const { message, cursorPosition } = error.sqlDetails as { message: string; cursorPosition: number }
  const end = source.tokens.at(-1)?.end ?? 0
  const character = /end of input$/.test(message) ? end : Math.min(codeUnits(source.text, cursorPosition), end)
  return refusal('sql/syntax', message, placeOfCharacter(source, character), syntaxHint(source, character))
}

/** The parser counts an error's place in whole characters, JavaScript in UTF-16 units. */
function codeUnits(text: string, characters: number): number {
  let at = 0
  for (let i = 0; i < characters && at < text.length; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  return at
}
