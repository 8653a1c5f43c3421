/** Keys that work on every page: `/` finds, `g` and a letter goes. */
import { go } from './place.ts'
import { openSearch } from './search.tsx'
import { sections } from './sections.ts'

/** So long a `g` waits for its letter. */
const chordMs = 1200

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || target.closest('input, textarea, select, dialog, .sql-editor') !== null
}

export function listenToKeys(): () => void {
  let chordUntil = 0
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    const now = performance.now()
    const chord = now < chordUntil
    chordUntil = 0
    if (chord) {
      const address = addressOf(event.key)
      if (address === null) return
      event.preventDefault()
      go(address)
      document.getElementById('main')?.focus()
    } else if (event.key === '/') {
      event.preventDefault()
      openSearch()
    } else if (event.key === 'g') {
      chordUntil = now + chordMs
    }
  }
  document.addEventListener('keydown', onKeyDown)
  return () => document.removeEventListener('keydown', onKeyDown)
}

function addressOf(key: string): string | null {
  return sections.value.find((section) => section.key === key)?.address ?? null
}
