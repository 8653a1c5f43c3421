import { MillraceError } from '../data/errors.ts'
import { typeName } from '../data/sql-type.ts'
import { known } from '../database/names.ts'
import type { Io } from '../io/io.ts'
import { bindSelect } from '../plan/bind.ts'
import type { Catalog } from '../plan/catalog.ts'
import { explainStages } from '../plan/explain.ts'
import type { Program, ViewDefinition } from '../plan/program.ts'
import { appendOnly } from '../plan/properties.ts'
import { loadApp } from './load-app.ts'
import { writeOut } from './output.ts'

const nothing: Program = { topics: [], views: [] }

/** Prints how a view is computed, at each stage of its planning. */
export async function explain(io: Io, app: string, name: string, json: boolean): Promise<number> {
  const { definition } = await loadApp(io.disk, app)
  const bound = await definition.plan(nothing, bindSelect)
  const { program, catalog } = await definition.plan(nothing)
  const view = viewNamed(catalog, name)
  const boundView = viewNamed(bound.catalog, name)
  if (json) {
    await writeOut(
      `${JSON.stringify({ view: view.name, sql: view.sql, bound: boundView.plan, plan: view.plan }, null, 2)}\n`,
    )
    return 0
  }
  const nameOf = (relation: number): string => catalog.byId(relation).name
  const columns = view.columns.map(
    (column) => `--   ${column.name} ${typeName(column.type)}${column.nullable ? '' : ' NOT NULL'}`,
  )
  const kind = appendOnly(view.plan, program) ? 'rows are only ever added' : 'rows come and go'
  await writeOut(
    [
      `-- view ${view.name}: ${view.emit}, ${kind}`,
      ...columns,
      '',
      explainStages({ sql: view.sql, bound: boundView.plan, optimised: view.plan }, nameOf),
    ].join('\n'),
  )
  return 0
}

function viewNamed(catalog: Catalog, name: string): ViewDefinition {
  const relation = catalog.find(name)
  if (relation?.kind === 'view') return relation.definition
  throw new MillraceError('view/unknown', `there is no view ${name}`, { hint: known(catalog.views, name) })
}
