import { blockColumn } from '../data/block.ts'
import { dropColumns } from '../data/block-columns.ts'
import { crc32 } from '../data/crc32.ts'
import { type Frame, frameHeaderBytes, topicOfBlock } from './frame.ts'
import { type FrameSection, readSection, sectionEntryBytes } from './frame-sections.ts'
import type { ColumnsRead, LoggedBlock } from './log.ts'

/** Columns that were not looked at, by their block. */
export type Unread = ReadonlyMap<number, ReadonlySet<number>>

/** The unread columns of a frame that has none. */
export const nothingUnread: Unread = new Map()

/**
 * Compares the checksums of a frame that is in memory whole: of its body, and of those columns that are read.
 * @returns what was not looked at; null where one of the others is not as it was written
 */
export function checkBody(
  frame: Frame,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  columns: ColumnsRead | undefined,
): Unread | null {
  const sections = sectionsOf(frame, view, at)
  if (sections === null || bodySum(frame, sections, bytes, at) !== frame.bodyChecksum) return null
  if (sections.length === 0) return nothingUnread
  const unread = new Map<number, Set<number>>()
  for (const { block, column, start, length, checksum } of sections) {
    if (block >= frame.blocks) return null
    if (columns === undefined || isRead(columns, topicOfBlock(frame, view, at, block), column)) {
      if (crc32(bytes.subarray(at + start, at + start + length)) !== checksum) return null
      continue
    }
    const own = unread.get(block)
    if (own === undefined) unread.set(block, new Set([column]))
    else own.add(column)
  }
  return unread
}

/** Leaves out what was not looked at, in memory: nobody can come to read it. */
export function withoutUnread(blocks: readonly LoggedBlock[], unread: Unread): void {
  for (const [block, columns] of unread) dropColumns(blocks[block].bytes, columns)
}

function isRead(columns: ColumnsRead, topic: number, column: number): boolean {
  const wanted = columns.get(topic)
  return wanted !== undefined && (column === blockColumn.operation || wanted.has(column))
}

/** The list, which is not vouched for yet; null where it can't be one. */
function sectionsOf(frame: Frame, view: DataView, at: number): FrameSection[] | null {
  const list = frame.length - frame.sections * sectionEntryBytes
  if (list < frame.directory) return null
  const sections: FrameSection[] = []
  let behind = frameHeaderBytes
  for (let i = 0, entry = at + list; i < frame.sections; i++, entry += sectionEntryBytes) {
    const section = readSection(view, entry)
    if (section.start < behind || section.start + section.length > frame.directory) return null
    behind = section.start + section.length
    sections.push(section)
  }
  return sections
}

/** The checksum of all that is in no section. */
function bodySum(frame: Frame, sections: readonly FrameSection[], bytes: Uint8Array, at: number): number {
  let sum = 0
  let from = frameHeaderBytes
  for (const { start, length } of sections) {
    if (start > from) sum = crc32(bytes.subarray(at + from, at + start), sum)
    from = start + length
  }
  return crc32(bytes.subarray(at + from, at + frame.length), sum)
}
