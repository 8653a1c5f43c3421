import { MillraceError } from '../../data/errors.ts'
import type { Disk } from '../../io/io.ts'
import { HistoryFile } from './history-file.ts'
import {
  damagedHistory,
  type HistoryName,
  historyName,
  isUnfinished,
  type Moment,
  parseHistoryName,
  unfinishedName,
} from './history-format.ts'

/** Where every log begins. */
export const beginning: Moment = {
  position: 0,
  sequence: 1,
  previous: 0,
  tick: 0,
  tickMicros: 0,
  commitMicros: 0,
  offsets: [],
}

/**
 * Opens the files that make up the history.
 * @param tidy removes what a writer left behind that was cut short, and files that others took the place of
 * @throws MillraceError log/corrupt, log/version
 */
export async function openHistoryFiles(disk: Disk, folder: string, tidy: boolean): Promise<HistoryFile[]> {
  const names = await disk.list(folder)
  if (tidy) for (const name of names) if (isUnfinished(name)) await disk.remove(`${folder}/${name}`)
  const { chosen, replaced } = choose(
    names.map(parseHistoryName).filter((name) => name !== null),
    folder,
  )
  const files: HistoryFile[] = []
  let next = 1
  for (const name of chosen) {
    if (name.number !== next) throw missing(folder, next)
    const file = await HistoryFile.open(disk, folder, name)
    if (!follows(file, files[files.length - 1])) throw damagedHistory(file.path, 0)
    files.push(file)
    next = name.through + 1
  }
  if (tidy && replaced.length > 0) await takeAway(disk, folder, chosen, replaced)
  return files
}

/** Of files that hold the same, the one written last, in the order of their numbers. */
function choose(names: readonly HistoryName[], folder: string): { chosen: HistoryName[]; replaced: HistoryName[] } {
  const chosen: HistoryName[] = []
  const replaced: HistoryName[] = []
  for (const name of [...names].sort((a, b) => b.generation - a.generation)) {
    const other = chosen.find(({ number, through }) => number <= name.through && name.number <= through)
    if (other === undefined) chosen.push(name)
    else if (other.number <= name.number && name.through <= other.through) replaced.push(name)
    else throw damagedHistory(`${folder}/${historyName(name)}`, 0)
  }
  chosen.sort((a, b) => a.number - b.number)
  return { chosen, replaced }
}

/**
 * Nobody knows whether the name of a file that took the place of others is durable: a sync of its folder may have
 * failed, and another one saves nothing. So it is given its name anew before the others go.
 */
async function takeAway(
  disk: Disk,
  folder: string,
  chosen: readonly HistoryName[],
  replaced: readonly HistoryName[],
): Promise<void> {
  for (const name of chosen) {
    if (!replaced.some(({ number }) => name.number <= number && number <= name.through)) continue
    // Where only some of them are left, its name was durable when the first one went.
    const whole = replaced.filter(({ number, through }) => name.number <= number && through <= name.through)
    if (!covers(whole, name)) continue
    await disk.rename(`${folder}/${historyName(name)}`, `${folder}/${unfinishedName(name)}`)
    await disk.rename(`${folder}/${unfinishedName(name)}`, `${folder}/${historyName(name)}`)
  }
  await disk.syncFolder(folder)
  for (const name of replaced) await disk.remove(`${folder}/${historyName(name)}`)
}

/** Whether all of a file's numbers are in others, too. */
function covers(names: readonly HistoryName[], { number, through }: HistoryName): boolean {
  let next = number
  for (const name of [...names].sort((a, b) => a.number - b.number)) {
    if (name.number <= next) next = Math.max(next, name.through + 1)
  }
  return next > through
}

function missing(folder: string, number: number): MillraceError {
  const path = `${folder}/${historyName({ number, through: number, generation: 0 })}`
  return new MillraceError('log/corrupt', `the history’s file ${path} is missing`, {
    hint: 'restore it from a copy: the files after it continue it',
    place: { file: path },
  })
}

function follows({ footer }: HistoryFile, before: HistoryFile | undefined): boolean {
  const end = before?.footer.to ?? beginning
  const { from } = footer
  const meets = from.position === end.position && from.sequence === end.sequence && from.tick === end.tick
  return meets && from.previous === end.previous && (before === undefined || before.footer.log === footer.log)
}
