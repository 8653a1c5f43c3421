import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
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

/** What passes soon is told later than this. */
const patienceSeconds = 3

/** Before the first answer: and how long it has taken, where it takes long. */
export function Waiting({ what }: { what: string }): JSX.Element {
  const [seconds, setSeconds] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setSeconds((passed) => passed + 1), 1000)
    return () => clearInterval(timer)
  }, [])
  return (
    <p class="waiting">
      <span role="status">{`${what} …`}</span>
      {seconds >= patienceSeconds && <span class="num" aria-hidden="true">{` ${seconds} s`}</span>}
    </p>
  )
}
