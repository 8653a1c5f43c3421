import { type Lane, laneWidth } from '../data/sql-type.ts'

/** Where one column lies in an entry. */
export interface Field {
  readonly lane: Lane
  /** From the entry's address: 4 bytes (i32) or 8; bytes cells are u32 address, u32 length. */
  readonly offset: number
  /** The cell's state byte. */
  readonly state: number
}

/**
 * The shape of one entry of an arrangement: a header of the arrangement's own, the wide cells, the narrow ones, then
 * a state byte per cell. Equal rows have equal cells because NULL and error slots are zero.
 */
export interface Layout {
  readonly fields: readonly Field[]
  readonly bytes: number
}

/** @param header bytes the arrangement keeps for itself, a multiple of 8 */
export function layoutOf(lanes: readonly Lane[], header: number): Layout {
  let at = header
  const offsets = new Array<number>(lanes.length)
  for (const width of [8, 4]) {
    for (let i = 0; i < lanes.length; i++) {
      if (laneWidth(lanes[i]) !== width) continue
      offsets[i] = at
      at += width
    }
  }
  const fields = lanes.map((lane, i) => ({ lane, offset: offsets[i], state: at + i }))
  return { fields, bytes: (at + lanes.length + 7) & ~7 }
}
