import { type App, appDefinitions } from '../app/app.ts'
import { parseSql, type Statement } from '../sql/parse.ts'
import { refusal } from '../sql/refuse.ts'
import { placeOfCharacter } from '../sql/source.ts'

/**
 * The statements of an app, for `defineProgram`: the same as of a SQL file that says what it says. Places in them
 * name the definition, and lines count from the template's first.
 * @throws MillraceError sql/syntax, sql/unsupported, sql/definition
 */
export function appStatements(app: App): readonly Statement[] {
  return appDefinitions(app).map(({ name, text, linesBefore }) => {
    const statements = parseSql(text, name, linesBefore)
    const [statement, second] = statements
    if (second !== undefined) {
      const place = placeOfCharacter(second.source, second.start)
      throw refusal('sql/definition', `"${name}" is more than one query`, place, 'give each query a view of its own')
    }
    return statement
  })
}
