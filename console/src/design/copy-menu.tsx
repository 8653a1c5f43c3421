import type { JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Snippets } from '../snippets/snippet.ts'
import { CopyForms } from './copy-as.tsx'

interface CopyMenuProps {
  /** What the part shows. */
  readonly of: string
  readonly snippets: Snippets
}

/** The same as CopyAs for a part of a page: folded, so that a page of many parts stays calm. */
export function CopyMenu({ of, snippets }: CopyMenuProps): JSX.Element {
  const [open, setOpen] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const close = (): void => {
    // Only whoever is still in it is brought back to where it was opened.
    if (box.current?.contains(document.activeElement)) button.current?.focus()
    setOpen(false)
  }
  // Before it is painted: whoever sees it may press Escape at once.
  useLayoutEffect(() => {
    if (!open) return
    const outside = ({ target }: Event): void => {
      if (!box.current?.contains(target as Node)) setOpen(false)
    }
    // Before anything else that Escape would close.
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return
      event.stopPropagation()
      close()
    }
    document.addEventListener('pointerdown', outside)
    document.addEventListener('focusin', outside)
    document.addEventListener('keydown', onKeyDown, true)
    return () => {
      document.removeEventListener('pointerdown', outside)
      document.removeEventListener('focusin', outside)
      document.removeEventListener('keydown', onKeyDown, true)
    }
  }, [open])
  return (
    <div class="copy-menu" ref={box}>
      <button
        type="button"
        ref={button}
        class="copy-form"
        aria-expanded={open}
        aria-label={`Copy as: ${of}`}
        onClick={() => setOpen(!open)}
      >
        Copy as
        <svg class="chevron" width="8" height="8" viewBox="0 0 8 8" aria-hidden="true">
          <path d="M1 2.5 4 5.5 7 2.5" />
        </svg>
      </button>
      {open && (
        <div class="copy-menu-forms">
          <CopyForms snippets={snippets} legend={`Copy as: ${of}`} onCopied={close} />
        </div>
      )}
    </div>
  )
}
