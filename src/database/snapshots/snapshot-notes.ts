import { MillraceError } from '../../data/errors.ts'
import { arrangementsOf } from '../../engine/engine.ts'
import { sha256 } from '../../io/digest.ts'
import type { Disk, IoError } from '../../io/io.ts'
import { viewMeaning } from '../../plan/fingerprint.ts'
import type { Program, ViewDefinition } from '../../plan/program.ts'
import { type Manifest, readManifest, type SnapshotNotes, stateNames } from '../../state/snapshots/manifest.ts'
import type { StoredPasts } from '../../views/past-files.ts'
import { isDamage, type StoredView } from '../../views/view-files.ts'
import type { TimeMark } from './marks.ts'

/** What a manifest says beside where the engine's state is. */
export interface About extends SnapshotNotes {
  /** The log's identity: a snapshot of another log says nothing. */
  readonly log: string
  readonly views: readonly { readonly meaning: string; readonly stored: StoredView }[]
  /** Everything of an engine that is in the snapshot, the empty parts included. */
  readonly arrangements: readonly string[]
  readonly timeMicros: string
  readonly events: number
  /** What the views retain of their past; the snapshot is whole without it. A base has none. */
  readonly pasts?: StoredPasts | null
  /** As the base's: where that is lost, a snapshot may stand for it. Missing in those of earlier versions. */
  readonly marks?: readonly TimeMark[]
  /** Of a base alone. */
  readonly base?: BaseNotes
}

/** What a base says beside what every snapshot does. */
export interface BaseNotes {
  /** The definitions that it holds the state of. */
  readonly text: string
  readonly program: Program
  /** Of the topics whose first events are gone. */
  readonly marks: readonly TimeMark[]
}

/** What a program must find in a snapshot. */
export interface Needs {
  /** The log's identity. */
  readonly log: string
  /** Of events up to this tick some are gone that the program reads. */
  readonly gone: number
  readonly meanings: readonly string[]
  readonly arrangements: readonly string[]
}

export function needsOf(program: Program, log: string, gone: number): Needs {
  return { log, gone, meanings: meaningsOf(program), arrangements: arrangementsOf(program) }
}

/** Why a snapshot is of no use to a program; null: it is of use, as far as can be told without reading it. */
export function refusalOf({ tick, about }: Manifest, needs: Needs): string | null {
  const { log, views, arrangements } = about as About
  if (log !== needs.log) return 'it is of another log'
  if (tick < needs.gone) return `events after it are gone, up to tick ${needs.gone}`
  const meanings = new Set(views.map(({ meaning }) => meaning))
  const names = new Set(arrangements)
  const enough =
    needs.meanings.every((meaning) => meanings.has(meaning)) && needs.arrangements.every((name) => names.has(name))
  return enough ? null : 'it is of other definitions'
}

/**
 * What is in a snapshot was durable in the log before.
 * @param log its identity, and the tick that it ends with
 * @throws MillraceError log/corrupt where the log ends before one
 */
export async function checkEnd(
  disk: Disk,
  folder: string,
  { identity, tick }: { readonly identity: string; readonly tick: number },
): Promise<void> {
  for (const name of stateNames(await disk.list(folder))) {
    let manifest: Manifest
    try {
      manifest = readManifest(disk, folder, name)
    } catch (error) {
      if (isDamage(error)) continue
      throw error
    }
    if ((manifest.about as About).log === identity && manifest.tick > tick) {
      throw shortened(`${folder}/${name}`, manifest.tick, tick)
    }
  }
}

function shortened(path: string, tick: number, end: number): MillraceError {
  return new MillraceError(
    'log/corrupt',
    `the log has lost its end: it ends at tick ${end}, and ${path} is of tick ${tick}`,
    {
      hint: 'restore the folder from a backup; if log/ was put back from an older copy, remove what is newer in state/',
      place: { file: path },
    },
  )
}

/** What each of a program's views means, in their order. */
export function meaningsOf(program: Program): readonly string[] {
  return program.views.map((view) => meaningOf(program, view))
}

/** A view's meaning as 32 hexadecimal digits. */
export function meaningOf(program: Program, view: ViewDefinition): string {
  const digest = sha256(new TextEncoder().encode(viewMeaning(program, view)))
  return Buffer.from(digest.subarray(0, 16)).toString('hex')
}

export function notWritten(error: IoError): MillraceError {
  const full = error.failure === 'full'
  return new MillraceError('state/snapshot', `a snapshot could not be written: ${error.message}`, {
    hint: full ? 'free some space: the next one is tried then' : 'check the disk: the log is not touched by this',
    place: { file: error.path },
    cause: error,
  })
}
