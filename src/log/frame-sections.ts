/**
 * A column of one of a frame's blocks that has a checksum of its own, so that whoever doesn't read the column need not
 * look at it. Listed at the frame's very end, in order; the body's checksum is of everything else, this list included:
 *
 *     u32 block, from 0 · u32 column · u32 start, from the frame's · u32 length · u32 checksum · u32 0
 */
export interface FrameSection {
  readonly block: number
  readonly column: number
  readonly start: number
  readonly length: number
  readonly checksum: number
}

export const sectionEntryBytes = 24

export function writeSection(view: DataView, at: number, section: FrameSection): void {
  view.setUint32(at, section.block, true)
  view.setUint32(at + 4, section.column, true)
  view.setUint32(at + 8, section.start, true)
  view.setUint32(at + 12, section.length, true)
  view.setUint32(at + 16, section.checksum, true)
  view.setUint32(at + 20, 0, true)
}

/** The entry at `at`, which may not be vouched for yet. */
export function readSection(view: DataView, at: number): FrameSection {
  return {
    block: view.getUint32(at, true),
    column: view.getUint32(at + 4, true),
    start: view.getUint32(at + 8, true),
    length: view.getUint32(at + 12, true),
    checksum: view.getUint32(at + 16, true),
  }
}
