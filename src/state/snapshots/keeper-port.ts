import { type ErrorCode, errorCodes, MillraceError } from '../../data/errors.ts'
import type { Piece } from '../cold.ts'
import type { RunIndex } from '../runs/run-format.ts'
import type { Manifest, SnapshotNotes } from './manifest.ts'
import type { SnapshotOptions } from './snapshot-folder.ts'

/** What crosses between the owner and the keeper's thread. Each request has one answer, in order. */
export type KeeperRequest =
  | {
      readonly kind: 'start'
      readonly folder: string
      readonly newest: Manifest | null
      readonly options: KeeperOptions
    }
  | { readonly kind: 'begin' }
  | { readonly kind: 'doubt' }
  | { readonly kind: 'add'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'commit'; readonly tick: number; readonly about: SnapshotNotes; readonly goOn?: readonly string[] }
  | { readonly kind: 'drop'; readonly adopted: Manifest }
  | { readonly kind: 'pin'; readonly tick: number; readonly notes: PinNotes; readonly own: PinNotes }
  | { readonly kind: 'close' }

export type KeeperReply =
  /** `indexes`: of runs that were written since the last answer that had any. */
  | { readonly kind: 'answer'; readonly kept: readonly Manifest[]; readonly indexes?: readonly RunIndex[] }
  | { readonly kind: 'refused'; readonly failure: KeeperFailure }
  /** Between the answers: the newest snapshot lies in other files now. */
  | { readonly kind: 'merged'; readonly manifest: Manifest; readonly indexes: readonly RunIndex[] }
  /** Between the answers: runs could not be merged. */
  | { readonly kind: 'trouble'; readonly failure: KeeperFailure }

type PinNotes = Readonly<Record<string, unknown>>

export interface KeeperFailure {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly file?: string
}

export interface KeeperOptions extends SnapshotOptions {
  /** The most of the time that merging works; the rest it waits, so that others have processor and disk. */
  readonly mergeShare?: number
}

export function keeperFailure(error: unknown): KeeperFailure {
  if (!(error instanceof MillraceError)) {
    return { code: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
  const { code, message, hint, place } = error
  return {
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(place.file === undefined ? {} : { file: place.file }),
  }
}

export function errorOf({ code, message, hint, file }: KeeperFailure): MillraceError {
  return new MillraceError(code in errorCodes ? (code as ErrorCode) : 'internal', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(file === undefined ? {} : { place: { file } }),
  })
}
