import type { App } from '../app/app.ts'
import { decodeRow, type ReadColumn, readColumns, writtenReads } from '../app/values.ts'
import type { CatalogBody, WireRow } from '../protocol/answers.ts'
import { typeOfName } from '../protocol/type-names.ts'
import type { Connection } from './connection.ts'

export type Row = Record<string, unknown>
export type ReadRow = (row: WireRow) => Row

/**
 * How rows of a topic or view become what TypeScript sees. The columns' types come from the server: they may have
 * changed since they were asked for, which a row shows that has other columns.
 */
export class RowReaders {
  readonly #connection: Connection
  readonly #app: App | undefined

  constructor(connection: Connection, app: App | undefined) {
    this.#connection = connection
    this.#app = app
  }

  /** What rows look like is in the catalog. */
  prepare(): Promise<CatalogBody> {
    return this.#connection.catalog()
  }

  /** @param sample a row as it came, or undefined where there is none */
  async of(kind: 'topics' | 'views', name: string, sample: WireRow | undefined): Promise<ReadRow> {
    let columns = this.#columns(await this.#connection.catalog(), kind, name)
    const known = columns
    if (sample !== undefined && !Object.keys(sample).every((key) => known.some((column) => column.name === key))) {
      columns = this.#columns(await this.#connection.catalog(true), kind, name)
    }
    return (row) => decodeRow(columns, row)
  }

  #columns(catalog: CatalogBody, kind: 'topics' | 'views', name: string): readonly ReadColumn[] {
    const all: readonly { readonly name: string; readonly columns: CatalogBody['views'][number]['columns'] }[] =
      catalog[kind]
    const lower = name.toLowerCase()
    const found = all.find((one) => one.name === name) ?? all.find((one) => one.name.toLowerCase() === lower)
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
