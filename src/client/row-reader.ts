import type { App } from '../app/app.ts'
import { decodeRow, type ReadColumn, readColumns, writtenReads } from '../app/values.ts'
import type { CatalogBody, WireRow } from '../protocol/answers.ts'
import { typeOfName } from '../protocol/type-names.ts'
import type { Connection } from './connection.ts'
import type { RelationKind } from './live.ts'

export type Row = Record<string, unknown>
export type ReadRow = (row: WireRow) => Row

/** Of so many fields without a column it is asked whether they have one by now. */
const mostStrange = 64

/**
 * How rows of a topic or view become what TypeScript sees. The columns' types come from the server: they may have
 * changed since they were asked for, which a row shows that has other columns.
 */
export class RowReaders {
  readonly #connection: Connection
  readonly #app: App | undefined
  /** Fields of events that no column had when they were first met. */
  readonly #strange = new Set<string>()

  constructor(connection: Connection, app: App | undefined) {
    this.#connection = connection
    this.#app = app
  }

  /** What a name stands for: what rows look like is asked for on the way. A name that nothing has passes for a view. */
  async kindOf(name: string): Promise<RelationKind> {
    const known = this.#kindIn(await this.#connection.catalog(), name)
    return known ?? this.#kindIn(await this.#connection.catalog(true), name) ?? 'views'
  }

  #kindIn({ topics, views }: CatalogBody, name: string): RelationKind | null {
    if (named(views, name) !== undefined) return 'views'
    return named(topics, name) === undefined ? null : 'topics'
  }

  async of(kind: RelationKind, name: string, sample: WireRow | undefined): Promise<ReadRow> {
    let columns = this.#columns(await this.#connection.catalog(), kind, name)
    const known = columns
    const strange = Object.keys(sample ?? {}).filter((key) => !known.some((column) => column.name === key))
    // A topic's events may have fields that no column has: each says once that the catalog may be old.
    const asks = (key: string): boolean =>
      kind === 'views' || (this.#strange.size < mostStrange && !this.#strange.has(`${name} ${key}`))
    if (strange.some(asks)) {
      columns = this.#columns(await this.#connection.catalog(true), kind, name)
      if (kind === 'topics') for (const key of strange) this.#strange.add(`${name} ${key}`)
    }
    return (row) => decodeRow(columns, row)
  }

  #columns(catalog: CatalogBody, kind: RelationKind, name: string): readonly ReadColumn[] {
    const all: readonly { readonly name: string; readonly columns: CatalogBody['views'][number]['columns'] }[] =
      catalog[kind]
    const found = named(all, name)
    const typed = (found?.columns ?? []).map((column) => ({ name: column.name, type: typeOfName(column.type) }))
    const definition = this.#app?.definitions[name]
    // Without the app the server says what its schemas say.
    const told = (found?.columns ?? []).map((column) => ({
      name: column.name,
      reads: column.reads ?? ('plain' as const),
    }))
    return readColumns(typed, definition === undefined ? told : writtenReads(definition))
  }
}

/** In its own spelling first, then in any case. */
function named<T extends { readonly name: string }>(all: readonly T[], name: string): T | undefined {
  const lower = name.toLowerCase()
  return all.find((one) => one.name === name) ?? all.find((one) => one.name.toLowerCase() === lower)
}
