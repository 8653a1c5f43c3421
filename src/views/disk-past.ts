import type { ColumnSchema } from '../data/sql-type.ts'
import { IoError } from '../io/io.ts'
import type { Pack } from './pack.ts'
import type { PackPlace } from './past-format.ts'
import type { RecalledPast, StoredPast } from './retained.ts'
import { isDamaged } from './stored-page.ts'

/** Where packs are read from. */
export interface PastReader {
  /** @throws MillraceError state/corrupt, IoError */
  readPack(place: PackPlace, schema: readonly ColumnSchema[]): Promise<Pack>
  /** The pack lies there: it needn't be written again. */
  placed(pack: Pack, place: PackPlace): void
  /** Told what can't be read. */
  lost(error: Error): void
}

/** A view's changes of before a restart, as long as nobody has asked for them. */
export class DiskPast implements StoredPast {
  readonly expiredTick: number
  readonly #reader: PastReader
  readonly #schema: readonly ColumnSchema[]
  readonly #read: () => Promise<readonly PackPlace[]>
  #places: Promise<readonly PackPlace[] | null> | null = null

  /** @param read where the packs lie, oldest first */
  constructor(
    reader: PastReader,
    read: () => Promise<readonly PackPlace[]>,
    expiredTick: number,
    schema: readonly ColumnSchema[],
  ) {
    this.#reader = reader
    this.#read = read
    this.expiredTick = expiredTick
    this.#schema = schema
  }

  /** Where they lie, oldest first; null where that can't be read, which was told. */
  places(): Promise<readonly PackPlace[] | null> {
    this.#places ??= this.#read().catch((error: unknown) => {
      if (!isLost(error)) throw error
      this.#reader.lost(error)
      return null
    })
    return this.#places
  }

  async after(tick: number): Promise<RecalledPast | null> {
    const places = await this.places()
    if (places === null) return null
    const packs: Pack[] = []
    let from = places.length
    // The newest first: those behind one that can't be read are of use.
    while (from > 0 && places[from - 1].lastTick > tick) {
      const place = places[from - 1]
      try {
        const pack = await this.#reader.readPack(place, this.#schema)
        this.#reader.placed(pack, place)
        packs.unshift(pack)
      } catch (error) {
        if (!isLost(error)) throw error
        this.#reader.lost(error)
        return { expiredTick: place.lastTick, packs, older: null }
      }
      from--
    }
    if (from === 0) return { expiredTick: this.expiredTick, packs, older: null }
    const older = new DiskPast(this.#reader, async () => places.slice(0, from), this.expiredTick, this.#schema)
    return { expiredTick: places[from - 1].lastTick, packs, older }
  }
}

/** Whether an error means that something can't be read, rather than that the program is wrong. */
export function isLost(error: unknown): error is Error {
  return error instanceof IoError || isDamaged(error)
}
