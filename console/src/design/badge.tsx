import type { ComponentChildren, JSX } from 'preact'
import './badge.css'

export type Tone = 'plain' | 'good' | 'warn' | 'bad'

/** A word about a thing. */
export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }): JSX.Element {
  return <span class={`badge ${tone}`}>{children}</span>
}

/** A state as a dot; the word beside it or its label says the same. */
export function Dot({ tone, label }: { tone: Tone; label?: string }): JSX.Element {
  return label === undefined ? (
    <span class={`dot ${tone}`} aria-hidden="true" />
  ) : (
    <span class={`dot ${tone}`} role="img" aria-label={label} title={label} />
  )
}
