import type { EventRef } from 'millrace/client'
import type { JSX } from 'preact'
import { eventAddress } from '../shell/place.ts'
import { count } from '../text/numbers.ts'

/** One event by its place, leading to what it did. */
export function EventLink({ event }: { readonly event: EventRef }): JSX.Element {
  const { topic, offset } = event
  return (
    <a class="link num" href={eventAddress(topic, offset)}>
      {`${topic} ${count(offset)}`}
    </a>
  )
}

/** `2026-11-22 09:15:03.120`, as the log has it. */
export function appendedAt({ appended_at: at }: EventRef): string {
  return at.replace('T', ' ').replace(/\+00(:00)?$|Z$/, '')
}
