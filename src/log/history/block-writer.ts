import type { Block } from '../../data/block.ts'
import { Gatherer } from './gather.ts'
import type { BlockPlace, ColumnPlace, Place } from './history-format.ts'
import type { SectionWriter } from './section-writer.ts'

/** A stretch of events that one commit, or several, brought: their rows, ticks and times, part by part. */
export interface WrittenParts {
  readonly rows: ArrayLike<number>
  readonly ticks: ArrayLike<number>
  readonly micros: ArrayLike<number>
}

/** One topic's blocks in a history file, as they fill up. */
export class BlockWriter {
  readonly blocks: BlockPlace[] = []
  readonly #sections: SectionWriter
  readonly #gatherer = new Gatherer()
  #first = 0
  #next = 0
  /** Of the rows gathered, once there is a gap between them. */
  #offsets: number[] | null = null
  #rows: number[] = []
  #ticks: number[] = []
  #micros: number[] = []

  constructor(sections: SectionWriter) {
    this.#sections = sections
  }

  /** Rows that are not written yet. */
  get gathered(): number {
    return this.#gatherer.rows
  }

  /** @param offsets of each row, where they aren't one behind the other from `firstOffset` */
  async add(block: Block, parts: WrittenParts, firstOffset: number, offsets?: ArrayLike<number>): Promise<void> {
    const gatherer = this.#gatherer
    if (!gatherer.fits(block)) await this.flush()
    if (gatherer.rows === 0) this.#first = this.#next = firstOffset
    if (this.#offsets === null && (offsets !== undefined || firstOffset !== this.#next)) {
      this.#offsets = Array.from({ length: gatherer.rows }, (_, i) => this.#first + i)
    }
    if (this.#offsets !== null) {
      for (let i = 0; i < block.rows; i++) this.#offsets.push(offsets === undefined ? firstOffset + i : offsets[i])
    }
    this.#next = (offsets === undefined ? firstOffset + block.rows - 1 : offsets[block.rows - 1]) + 1
    this.#addParts(parts)
    gatherer.add(block)
  }

  /** A part that is no block that could be taken apart. */
  async addOpaque(bytes: Uint8Array, parts: WrittenParts, firstOffset: number): Promise<void> {
    await this.flush()
    this.#first = firstOffset
    this.#next = firstOffset + parts.rows[0]
    this.#addParts(parts)
    this.#close(parts.rows[0], [], this.#sections.put(bytes))
    await this.#sections.breathe()
  }

  /** Takes a block over as it is in another file. */
  async copy(place: BlockPlace, read: (place: Place) => Promise<Uint8Array>): Promise<void> {
    await this.flush()
    const copied = async <P extends Place>(from: P): Promise<P> => ({
      ...from,
      ...this.#sections.put(await read(from)),
    })
    const columns: ColumnPlace[] = []
    for (const column of place.columns) {
      columns.push(await copied(column))
      await this.#sections.breathe()
    }
    this.blocks.push({
      ...place,
      partRows: await copied(place.partRows),
      partTicks: await copied(place.partTicks),
      partMicros: await copied(place.partMicros),
      columns,
      ...(place.opaque === undefined ? {} : { opaque: await copied(place.opaque) }),
      ...(place.offsets === undefined ? {} : { offsets: await copied(place.offsets) }),
    })
    await this.#sections.breathe()
  }

  async flush(): Promise<void> {
    if (this.#gatherer.rows === 0) return
    const { rows, columns } = this.#gatherer.take()
    const places: ColumnPlace[] = []
    for (const [id, column] of columns) {
      places.push(this.#sections.putColumn(id, column, rows))
      await this.#sections.breathe()
    }
    this.#close(rows, places)
  }

  #addParts({ rows, ticks, micros }: WrittenParts): void {
    for (let i = 0; i < rows.length; i++) {
      this.#rows.push(rows[i])
      this.#ticks.push(ticks[i])
      this.#micros.push(micros[i])
    }
  }

  #close(rows: number, columns: readonly ColumnPlace[], opaque?: Place): void {
    const ticks = this.#ticks
    const micros = this.#micros
    const offsets = this.#offsets
    const last = ticks.length - 1
    this.blocks.push({
      firstOffset: this.#first,
      rows,
      ticks: [ticks[0], ticks[last]],
      micros: [micros[0], micros[last]],
      parts: ticks.length,
      partRows: this.#sections.putNumbers('i32', this.#rows),
      partTicks: this.#sections.putNumbers('i64', ticks),
      partMicros: this.#sections.putNumbers('i64', micros),
      columns,
      ...(opaque === undefined ? {} : { opaque }),
      ...(offsets === null
        ? {}
        : { lastOffset: offsets[offsets.length - 1], offsets: this.#sections.putNumbers('i64', offsets) }),
    })
    this.#offsets = null
    this.#rows = []
    this.#ticks = []
    this.#micros = []
  }
}
