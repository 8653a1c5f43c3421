import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type Took, took } from '../measure.ts'
import { canonicalNumber } from '../nexmark/canonical.ts'
import { chunkEvents, type Generator } from '../nexmark/generator.ts'
import { NdjsonWriter } from '../nexmark/ndjson.ts'
import { tablesSql, topics } from '../nexmark/topics.ts'

const loadedAtOnceEvents = 50 * chunkEvents

/** DuckDB in this process: one thread, Nexmark's rows in its own tables in memory, each query run once over all of them. */
export class DuckDb {
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.#connection = connection
  }

  static async load(generator: Generator, events: number): Promise<DuckDb> {
    const { DuckDBInstance } = await import('@duckdb/node-api')
    const instance = await DuckDBInstance.create(':memory:', { threads: '1', preserve_insertion_order: 'false' })
    const connection = await instance.connect()
    await connection.run(tablesSql())
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-bench-'))
    try {
      const writers = topics.map(() => new NdjsonWriter())
      while (generator.events < events) {
        writers.forEach((writer) => {
          writer.clear()
        })
        for (const end = Math.min(events, generator.events + loadedAtOnceEvents); generator.events < end; ) {
          generator.next(Math.min(chunkEvents, end - generator.events))
          topics.forEach(({ name }, i) => {
            writers[i].write(generator.topic(name))
          })
        }
        for (let i = 0; i < topics.length; i++) {
          const { name, columns } = topics[i]
          const file = path.join(folder, `${name}.ndjson`)
          writeFileSync(file, writers[i].bytes.subarray(0, writers[i].length))
          const types = columns.map((column) => `${column.name}: '${column.kind}'`).join(', ')
          await connection.run(
            `INSERT INTO ${name} SELECT * FROM read_json('${file}', format = 'newline_delimited', columns = {${types}})`,
          )
        }
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
    return new DuckDb(instance, connection)
  }

  /** Runs the query and keeps its rows in a table, as a view would. */
  run(select: string): Promise<Took> {
    return took(async () => {
      await this.#connection.run(`CREATE OR REPLACE TEMP TABLE answer AS ${select}`)
    })
  }

  /** The query's rows in canonical form. */
  async rows(select: string): Promise<string[][]> {
    const reader = await this.#connection.runAndReadAll(select)
    const { DuckDBTypeId } = await import('@duckdb/node-api')
    const types = reader.columnTypes().map((type) => type.typeId)
    return reader.getRows().map((row) =>
      row.map((value, i) => {
        if (types[i] === DuckDBTypeId.TIMESTAMP) return String((value as { micros: bigint }).micros)
        if (types[i] === DuckDBTypeId.DATE) return String(BigInt((value as { days: number }).days) * 86_400_000_000n)
        return types[i] === DuckDBTypeId.VARCHAR ? String(value) : canonicalNumber(String(value))
      }),
    )
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }
}
