import type { ColumnSchema } from '../data/sql-type.ts'
import { type Disk, IoError } from '../io/io.ts'
import { DiskPast, isLost, type PastReader } from './disk-past.ts'
import { type Pack, packOf } from './pack.ts'
import { PageFile, type PageToWrite, writePages } from './page-file.ts'
import {
  decodeList,
  decodePack,
  encodeList,
  encodePack,
  type Listed,
  type PackPlace,
  pastVersion,
} from './past-format.ts'
import { isExpired, type RetainedState, type Retention } from './retained.ts'
import type { Slices } from './slices.ts'

/** What a snapshot names of its views' pasts: JSON-safe. */
export interface StoredPasts {
  readonly version: number
  readonly files: readonly string[]
  /** In the order of the views; null: nothing is known. */
  readonly views: readonly (PastPlace | null)[]
}

interface PastPlace {
  readonly expiredTick: number
  /** Where the list of its packs is; null: nothing has changed since. */
  readonly list: { readonly file: number; readonly page: number } | null
}

/** A view's past that is to be kept. */
export interface KeptPast {
  readonly state: RetainedState
  readonly schema: readonly ColumnSchema[]
  readonly retention: Retention
}

const nameOf = (file: number): string => `changes-${file}.pages`
const namePattern = /^changes-(\d+)\.pages$/
/** Of more files, small ones count as worn. */
const manyFiles = 32
/** So much of worn files is written anew with one snapshot. */
const wornBytes = 32 << 20

/** A pack on its way to disk. */
interface Fresh {
  readonly pack: Pack
  /** Of packs that will grow together with later ones: the first and the last. */
  readonly loose: readonly [Pack, Pack] | null
}

/**
 * What views retain of their past, on disk beside what they hold: snapshots name it, and are whole without it. A pack
 * that was written is not written again, but for ticks that were not packed yet. Nothing is read before somebody asks
 * for that past. What can't be read is forgotten, and told.
 */
export class PastFiles implements PastReader {
  /** Told in a line what of the past is lost. */
  onLost: (line: string) => void = () => {}
  readonly #disk: Disk
  readonly #folder: string
  readonly #places = new WeakMap<Pack, PackPlace>()
  /** By the last of some loose packs: what was written for them. */
  readonly #ends = new WeakMap<Pack, { readonly first: Pack; readonly place: PackPlace }>()
  readonly #open = new Map<number, PageFile>()
  #next: number
  /** Written since `named`: a snapshot that was given up may have lost their names, so that what they have is moved. */
  readonly #unnamed = new Set<number>()
  /** What was saved last. */
  #saved: { readonly lists: readonly (Listed | null)[]; readonly stored: StoredPasts } | null = null

  private constructor(disk: Disk, folder: string, next: number) {
    this.#disk = disk
    this.#folder = folder
    this.#next = next
  }

  static async open(disk: Disk, folder: string): Promise<PastFiles> {
    const numbers = (await disk.list(folder)).map((name) => Number(namePattern.exec(name)?.[1] ?? 0))
    return new PastFiles(disk, folder, Math.max(0, ...numbers) + 1)
  }

  /**
   * What a view knows of its past at the tick of a snapshot. Nothing is read.
   * @param index of the view among the snapshot's
   * @returns null: nothing
   */
  load(
    stored: StoredPasts | null | undefined,
    index: number,
    tick: number,
    schema: readonly ColumnSchema[],
  ): RetainedState | null {
    const place = stored?.version === pastVersion ? (stored.views[index] ?? null) : null
    if (place === null) return null
    const { expiredTick, list } = place
    if (list === null) return { expiredTick, packs: [], loose: 0, stored: null }
    const read = async (): Promise<readonly PackPlace[]> => {
      const file = await this.#fileOf(list.file)
      return decodeList(await file.checked(list.page), this.#pathOf(list.file))
    }
    return { expiredTick: tick, packs: [], loose: 0, stored: new DiskPast(this, read, expiredTick, schema) }
  }

  /** @throws MillraceError state/corrupt, IoError */
  async readPack({ file: number, page, pages, ...place }: PackPlace, schema: readonly ColumnSchema[]): Promise<Pack> {
    const file = await this.#fileOf(number)
    const ticks = decodePack(await file.checked(page), this.#pathOf(number))
    const read: Pack['pages'][number][] = []
    for (let i = 1; i <= pages; i++) read.push(await file.read(page + i, schema))
    const { lastTick, lastMicros, rows, errors, bytes } = place
    return { ...ticks, pages: read, lastTick, lastMicros, rows, errors, bytes }
  }

  placed(pack: Pack, place: PackPlace): void {
    this.#places.set(pack, place)
  }

  lost(error: Error): void {
    this.onLost(`what views retain of their past is forgotten in part, which replay still tells: ${error.message}`)
  }

  /**
   * Writes what is not on disk yet, in slices.
   * @param pasts in the order of the views; null: nothing is known of one
   * @param nowMicros the time of the tick that they are of
   * @throws IoError
   */
  async save(pasts: readonly (KeptPast | null)[], nowMicros: bigint, slices: Slices): Promise<StoredPasts> {
    const fresh = new Map<PackPlace, Fresh>()
    const lists: (Listed | null)[] = []
    for (const past of pasts) {
      lists.push(past === null ? null : await this.#listed(past, nowMicros, fresh))
      if (slices.due) await slices.pause()
    }
    const pages: PageToWrite[] = []
    const moved = new Map<PackPlace, number>()
    for (const [place, { pack }] of fresh) {
      moved.set(place, pages.length)
      pages.push(rawPage(encodePack(pack)), ...pack.pages)
    }
    await this.#moveWorn(lists, moved, pages, slices)
    const known = moved.size === 0 && this.#unnamed.size === 0 && this.#saved !== null
    if (known && sameLists(this.#saved!.lists, lists)) return this.#saved!.stored
    const stored = await this.#write(lists, moved, pages, slices)
    for (const [place, { pack, loose }] of fresh) {
      if (loose === null) this.#places.set(pack, place)
      else this.#ends.set(loose[1], { first: loose[0], place })
    }
    this.#saved = { lists, stored }
    return stored
  }

  /** A snapshot that names all that was written is durable. */
  named(): void {
    this.#unnamed.clear()
  }

  /** Where a view's packs lie, those that are to be written included, without what it doesn't retain any more. */
  async #listed({ state, schema, retention }: KeptPast, now: bigint, fresh: Map<PackPlace, Fresh>): Promise<Listed> {
    const before = state.stored instanceof DiskPast ? await state.stored.places() : null
    const places = [...(before ?? [])]
    const add = (known: PackPlace | undefined, pack: () => Pack, loose: Fresh['loose']): void => {
      const place = known ?? placeOf(pack())
      if (known === undefined) fresh.set(place, { pack: pack(), loose })
      places.push(place)
    }
    const loose = state.packs.slice(state.loose)
    for (const pack of state.packs.slice(0, state.loose)) add(this.#places.get(pack), () => pack, null)
    if (loose.length > 0) {
      const [first, last] = [loose[0], loose[loose.length - 1]]
      const end = this.#ends.get(last)
      const pack = end?.first === first ? null : packOf(loose, schema)
      add(pack === null ? end!.place : undefined, () => pack!, [first, last])
    }
    let expiredTick = before === null ? state.expiredTick : state.stored!.expiredTick
    let bytes = places.reduce((sum, place) => sum + place.bytes, 0)
    let from = 0
    while (from < places.length && isExpired(retention, bytes, places[from].lastMicros, now)) {
      fresh.delete(places[from])
      bytes -= places[from].bytes
      expiredTick = places[from++].lastTick
    }
    return { expiredTick, places: places.slice(from) }
  }

  /** Files of which little is needed any more, and small ones where there are many, are left. */
  async #moveWorn(
    lists: (Listed | null)[],
    moved: Map<PackPlace, number>,
    pages: PageToWrite[],
    slices: Slices,
  ): Promise<void> {
    const live = new Map<number, number>()
    for (const list of lists) {
      for (const place of list?.places ?? []) {
        if (!moved.has(place)) live.set(place.file, (live.get(place.file) ?? 0) + place.size)
      }
    }
    const small = live.size > manyFiles ? [...live.values()].reduce((sum, bytes) => sum + bytes, 0) / manyFiles : 0
    let left = wornBytes
    const worn = new Set<number>()
    for (const [file, bytes] of live) {
      if (this.#unnamed.has(file)) {
        worn.add(file)
        continue
      }
      const size = await this.#fileOf(file).then(
        (opened) => opened.size,
        () => Number.POSITIVE_INFINITY,
      )
      if ((bytes * 2 >= size && bytes >= small) || bytes > left) continue
      left -= bytes
      worn.add(file)
    }
    for (const [i, list] of lists.entries()) {
      for (const place of list?.places ?? []) {
        if (moved.has(place) || !worn.has(place.file)) continue
        try {
          const copied = await this.#copy(place)
          moved.set(place, pages.length)
          pages.push(...copied)
        } catch (error) {
          if (!isLost(error)) throw error
          this.lost(error)
          const places = list!.places.filter(({ lastTick }) => lastTick > place.lastTick)
          lists[i] = { expiredTick: place.lastTick, places }
        }
        if (slices.due) await slices.pause()
      }
    }
  }

  async #copy({ file: number, page, pages }: PackPlace): Promise<readonly PageToWrite[]> {
    const file = await this.#fileOf(number)
    const copied: PageToWrite[] = []
    for (let i = page; i <= page + pages; i++) copied.push(rawPage(await file.checked(i), file.rowsOf(i) ?? 0))
    return copied
  }

  /** @param moved packs by the page that they have in the new file */
  async #write(
    lists: readonly (Listed | null)[],
    moved: ReadonlyMap<PackPlace, number>,
    pages: PageToWrite[],
    slices: Slices,
  ): Promise<StoredPasts> {
    const file = this.#next
    const placeNow = (place: PackPlace): PackPlace => {
      const page = moved.get(place)
      return page === undefined ? place : { ...place, file, page }
    }
    const named = new Set<number>()
    const views = lists.map((list): PastPlace | null => {
      if (list === null) return null
      const { expiredTick, places } = list
      if (places.length === 0) return { expiredTick, list: null }
      const now = places.map(placeNow)
      for (const place of now) named.add(place.file)
      named.add(file)
      return { expiredTick, list: { file, page: pages.push(rawPage(encodeList(now))) - 1 } }
    })
    if (named.size > 0) {
      this.#next++
      this.#unnamed.add(file)
      await writePages(this.#disk, this.#pathOf(file), pages, slices)
      await this.#disk.syncFolder(this.#folder)
    }
    for (const [place, page] of moved) Object.assign(place, { file, page })
    return { version: pastVersion, files: [...named].map(nameOf), views }
  }

  #pathOf(file: number): string {
    return `${this.#folder}/${nameOf(file)}`
  }

  async #fileOf(number: number): Promise<PageFile> {
    const known = this.#open.get(number)
    if (known !== undefined) return known
    const file = await PageFile.open(this.#disk, this.#pathOf(number))
    this.#open.set(number, file)
    return file
  }

  /** Removes the files that nobody names any more. What can't be removed stays until the next time. */
  async removeOthers(named: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#disk.list(this.#folder)) {
      const number = namePattern.exec(name)?.[1]
      if (number === undefined || named.has(name)) continue
      // Whoever still reads in it holds it.
      this.#open.delete(Number(number))
      try {
        await this.#disk.remove(`${this.#folder}/${name}`)
      } catch (error) {
        if (!(error instanceof IoError)) throw error
      }
    }
  }

  /** Nothing can be read any more. */
  async close(): Promise<void> {
    for (const file of this.#open.values()) await file.close()
  }
}

function placeOf({ pages, lastTick, lastMicros, rows, errors, bytes, changes }: Pack): PackPlace {
  const size = pages.reduce((sum, page) => sum + page.memory.u8.byteLength, changes.length * 40)
  return { file: 0, page: 0, pages: pages.length, lastTick, lastMicros, rows, errors, bytes, size }
}

function rawPage(u8: Uint8Array, rows = 0): PageToWrite {
  return { memory: { u8 }, rows }
}

function sameLists(before: readonly (Listed | null)[], now: readonly (Listed | null)[]): boolean {
  return (
    before.length === now.length &&
    now.every((list, i) => {
      const other = before[i]
      if (list === null || other === null) return list === other
      const { places } = list
      const same = other.expiredTick === list.expiredTick && other.places.length === places.length
      return same && places.every((place, k) => place === other.places[k])
    })
  )
}
