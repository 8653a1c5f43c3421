import { MillraceError } from '../data/errors.ts'
import { type AsOf, parseMoment, StillReplaying } from '../database.ts'
import type { ReplayingBody } from '../protocol/answers.ts'
import { type ApiAnswer, type ApiRequest, jsonAnswer } from './exchange.ts'
import type { Limits } from './limits.ts'
import { type Parameters, refused } from './parameters.ts'

/** Seconds after which whoever waits for a replay shall ask again. */
const retryAfter = '1'

/** @throws MillraceError request/parameter for what is neither a tick nor a time, or a replay of nothing past */
export function asOfParameter(
  text: string | null,
  parameters: Parameters,
  limits: Limits,
  request: Pick<ApiRequest, 'signal'>,
): AsOf | null {
  const replay = parameters.choice('replay', ['true', 'false']) === 'true'
  if (text === null) {
    if (replay) throw refused('replay', 'is for the past alone', 'say with as_of which tick or time is meant')
    return null
  }
  const at = parseMoment(text)
  if (at === null) {
    const hint = "write a tick's number or a time like 2026-11-21T10:00:00Z; in a URL, + is %2B"
    throw refused('as_of', `is a tick or a time, not ${JSON.stringify(text)}`, hint)
  }
  if (!replay) return { at }
  return { at, replay: { waitMs: limits.replayWaitMs, mostMs: limits.replayMs, signal: request.signal } }
}

/** 202 where a replay isn't through yet. @throws anything else */
export function stillReplaying(error: unknown): ApiAnswer {
  if (!(error instanceof StillReplaying)) throw error
  const { tick, throughTick, events } = error.progress
  const body: ReplayingBody = { status: 'replaying', tick, through_tick: throughTick, events }
  return jsonAnswer(202, body, { 'retry-after': retryAfter, 'cache-control': 'no-store' })
}

/** @param isNumber it stands there without quotes @throws MillraceError request/malformed */
export function asOfMember(text: string | null, isNumber: boolean): string | null {
  if (text === null || (text === 'null' && isNumber)) return null
  if (parseMoment(text) !== null && (!isNumber || /^\d+$/.test(text))) return text
  throw new MillraceError('request/malformed', `as_of is a tick or a time, not ${text}`, {
    place: { pointer: '/as_of' },
    hint: 'write a tick\'s number or a time like "2026-11-21T10:00:00Z"',
  })
}
