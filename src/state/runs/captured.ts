import { openBlock } from '../../data/block.ts'
import { Bug } from '../../data/errors.ts'
import type { Disk } from '../../io/io.ts'
import type { Piece } from '../cold.ts'
import { orderOfHashes } from './hash-order.ts'
import { RowStore, viewOfBlock } from './row-store.ts'
import type { RunFile } from './run-format.ts'
import { type OnIndexed, RunWriter } from './run-writer.ts'

/** How many rows are put into a run before what has gathered is written. */
const rowsPerTurn = 32768

/** Pieces of a capture until they make a run. */
export class Captured {
  /** Bytes of the pieces. */
  bytes = 0
  /** Per arrangement its sections' rows; the first are the hashes of all its buckets. */
  readonly #arrangements = new Map<string, (RowStore | undefined)[]>()

  add({ arrangement, section, bytes }: Piece): void {
    const view = viewOfBlock(bytes)
    if (view.rows === 0) return
    let stores = this.#arrangements.get(arrangement)
    if (stores === undefined) {
      stores = []
      this.#arrangements.set(arrangement, stores)
    }
    stores[section + 1] ??= new RowStore(lanesOf(bytes))
    stores[section + 1]?.append(view, 0, view.rows)
    this.bytes += bytes.length
  }

  /**
   * Writes everything as one run; its name is durable once the folder was synced. What was captured is gone then.
   * @param indexed as RunWriter.finish
   * @throws IoError; the file then has to be removed
   */
  async writeRun(disk: Disk, folder: string, name: string, indexed?: OnIndexed): Promise<RunFile> {
    const writer = await RunWriter.create(disk, folder, name)
    try {
      for (const [arrangement, stores] of [...this.#arrangements].sort(byName)) {
        await writeArrangement(writer, arrangement, stores)
        this.#arrangements.delete(arrangement)
      }
      this.bytes = 0
      return await writer.finish(indexed)
    } catch (error) {
      await writer.abandon()
      throw error
    }
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function lanesOf(bytes: Uint8Array) {
  return Array.from(openBlock(bytes).columns, ([id, { lane }], i) => {
    if (id !== i) throw new Bug(`a piece has a column ${id} where ${i} should be`)
    return lane
  })
}

async function writeArrangement(
  writer: RunWriter,
  name: string,
  stores: readonly (RowStore | undefined)[],
): Promise<void> {
  const buckets = stores[0]
  if (buckets === undefined) throw new Bug(`rows of ${name} were captured without their buckets`)
  const orders: Uint32Array[] = []
  for (const store of stores) {
    if (store === undefined) orders.push(new Uint32Array(0))
    else if (store !== buckets && sameHashes(store, buckets)) orders.push(orders[0])
    else orders.push(orderOfHashes(store.columns[0].cells, 0, store.rows))
  }
  writer.beginArrangement(name, stores.length, buckets.rows)
  writer.addBuckets(buckets.columns[0].cells, buckets.rows)
  orders[0] = emptyBuckets(name, stores, orders)
  for (let section = 0; section < stores.length; section++) {
    const store = stores[section]
    if (store === undefined) continue
    for (let from = 0; from < orders[section].length; from += rowsPerTurn) {
      writer.addRows(section, store, orders[section], from, Math.min(from + rowsPerTurn, orders[section].length))
      await writer.flush()
    }
  }
  writer.endArrangement()
}

/** Has the section one row for each bucket, as that of the keys mostly has? */
function sameHashes(store: RowStore, buckets: RowStore): boolean {
  const { rows } = store
  if (rows !== buckets.rows) return false
  const { cells } = store.columns[0]
  const others = buckets.columns[0].cells
  for (let i = 0; i < 2 * rows; i++) if (cells[i] !== others[i]) return false
  return true
}

/** The buckets that no section has rows of, in order. */
function emptyBuckets(
  name: string,
  stores: readonly (RowStore | undefined)[],
  orders: readonly Uint32Array[],
): Uint32Array {
  const order = orders[0]
  const hashes = (stores[0] as RowStore).columns[0].cells
  const hasRows = new Uint8Array(order.length)
  for (let i = 1; i < order.length; i++) {
    const a = 2 * order[i - 1]
    const b = 2 * order[i]
    if (hashes[a] === hashes[b] && hashes[a + 1] === hashes[b + 1])
      throw new Bug(`a bucket of ${name} was captured twice`)
  }
  for (let section = 1; section < stores.length; section++) {
    const cells = stores[section]?.columns[0].cells
    if (cells === undefined) continue
    if (orders[section] === order) {
      hasRows.fill(1)
      continue
    }
    let bucket = 0
    for (const row of orders[section]) {
      const low = cells[2 * row]
      const high = cells[2 * row + 1]
      while (bucket < order.length && (hashes[2 * order[bucket]] !== low || hashes[2 * order[bucket] + 1] !== high)) {
        bucket++
      }
      if (bucket === order.length) throw new Bug(`a bucket of ${name} was captured without its hash`)
      hasRows[bucket] = 1
    }
  }
  return order.filter((_, i) => hasRows[i] === 0)
}
