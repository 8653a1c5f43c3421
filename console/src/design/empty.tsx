import type { ComponentChildren, JSX } from 'preact'
import type { Refusal } from '../ask/refusal.ts'
import './empty.css'

/** Nothing to show: says why, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <div class="empty-text">{children}</div>}
    </div>
  )
}

/** What went wrong, in words, and what to do. */
export function Trouble({ refusal, title }: { refusal: Refusal; title?: string }): JSX.Element {
  const { message, hint, code, line, column } = refusal
  return (
    <div class="trouble" role="alert">
      {title !== undefined && <p class="empty-title">{title}</p>}
      <p>
        {message}
        {line !== null && (
          <span class="quiet num">{` (line ${line}${column === null ? '' : `, column ${column}`})`}</span>
        )}
      </p>
      {hint !== null && <p class="trouble-hint">{hint}</p>}
      <p class="mono trouble-code">{code}</p>
    </div>
  )
}

/** Before the first answer. */
export function Waiting({ what }: { what: string }): JSX.Element {
  return (
    <p class="waiting" role="status">
      {`${what} …`}
    </p>
  )
}
