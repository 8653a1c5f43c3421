import { unsupported } from './refuse.ts'
import { placeOfCharacter, type Source, textOf, tokenIndexAt } from './source.ts'
import { fold } from './tokens.ts'

/** Words of other dialects that PostgreSQL's grammar takes for an alias when a join follows. */
const joins = new Map([
  ['asof', 'join the row in force at that time with a top-N subquery: row_number() OVER (…) = 1'],
  ['semi', 'write WHERE EXISTS (SELECT …)'],
  ['anti', 'write WHERE NOT EXISTS (SELECT …)'],
  ['positional', 'number the rows and join by the number'],
])
const joinWords = new Set(['join', 'left', 'right', 'full', 'inner', 'cross', 'natural', 'outer'])
/** Words of other dialects that stand behind a relation and take brackets. */
const clauses = new Map([
  ['match_recognize', 'join or aggregate the events instead'],
  ['pivot', 'write one aggregate per column: sum(x) FILTER (WHERE …)'],
  ['unpivot', 'write one SELECT per column and put UNION ALL between them'],
])
/** What may stand before a word that is meant as a name. */
const nameLeads = new Set(['as', '.', 'from', 'join', ',', 'view', 'table', 'only', 'exists'])

/**
 * Refuses by name what PostgreSQL's grammar would read as something else without a word: in `a ASOF JOIN b` it takes
 * ASOF for an alias of `a`. Written `a AS asof JOIN b`, it is one.
 */
export function refuseDialects(source: Source): void {
  source.tokens.forEach((token, index) => {
    if (token.kind !== 'word' || token.end - token.start > 'match_recognize'.length) return
    const word = fold(textOf(source, index))
    const join = joins.get(word)
    const clause = clauses.get(word)
    if (join === undefined && clause === undefined) return
    if (nameLeads.has(fold(textOf(source, index - 1)))) return
    const next = fold(textOf(source, index + 1))
    const place = placeOfCharacter(source, token.start)
    if (join !== undefined && joinWords.has(next)) {
      throw unsupported(`${word.toUpperCase()} JOIN is not supported`, place, join)
    }
    if (clause !== undefined && next === '(') {
      throw unsupported(`${word.toUpperCase()} is not supported`, place, clause)
    }
  })
}

const hints = new Map([
  ['watermark', "declare event time behind the columns: WITH (event_time = 'column', lateness = '4 seconds')"],
  ['sink', 'sinks are not defined in SQL: read the view live'],
  ['source', 'define the topic with CREATE TABLE and append its events'],
  ['stream', 'define the topic with CREATE TABLE; one without a primary key is append-only'],
  ['topic', 'define the topic with CREATE TABLE; one without a primary key is append-only'],
  ['changes', 'a MATERIALIZED VIEW always emits its changes: leave EMIT CHANGES out'],
  ['qualify', 'put the query in a subquery and filter outside of it'],
  ['system_time', 'join the row in force at that time with a top-N subquery: row_number() OVER (…) = 1'],
  ['interval', "write an interval as interval '1 minute'"],
  ['`', 'quote names with double quotes'],
])

/** One thing to do about a syntax error, by the words around its place. */
export function syntaxHint(source: Source, character: number): string {
  const index = tokenIndexAt(source, character)
  for (const near of [index, index - 1, index + 1, index - 2]) {
    const text = textOf(source, near)
    const hint = hints.get(fold(text).replace(/^`.*/s, '`'))
    if (hint !== undefined) return hint
  }
  if (index >= source.tokens.length) return 'something is missing at the end: a bracket, a quote or an expression'
  return "the grammar is PostgreSQL's: look at this word and just before it"
}
