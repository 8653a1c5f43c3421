import type { Statement } from '../sql/parse.ts'

/**
 * Topics that Millrace writes itself, where it is told to. They are topics like all others, for whoever may read them:
 * views over them are views.
 */
export const ownTopics = {
  /** Who wanted what, and whether he may: decisions, without payloads. */
  _audit:
    'CREATE TABLE _audit (at timestamptz NOT NULL, caller text, role text, actor text, address text, ' +
    "method text NOT NULL, route text NOT NULL, name text, decision text NOT NULL, code text) WITH (event_time = 'at');",
  /** What was asked and how it was answered, without queries and bodies. */
  _access:
    'CREATE TABLE _access (at timestamptz NOT NULL, caller text, address text, method text NOT NULL, ' +
    "route text NOT NULL, status integer NOT NULL, ms double precision NOT NULL) WITH (event_time = 'at');",
} as const

export type OwnTopic = keyof typeof ownTopics

/** Whether a statement defines one of them, word for word: nobody else may give it other columns. */
export function definesOwnTopic({ source, start }: Statement, name: string): boolean {
  const text = Object.hasOwn(ownTopics, name) ? ownTopics[name as OwnTopic] : null
  return text !== null && source.text.slice(start).trimStart().startsWith(text)
}
