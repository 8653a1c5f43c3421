import type { JSX } from 'preact'
import { useCopied } from './copied.ts'
import './code-block.css'

/** Text to read or to copy. */
export function CodeBlock({ title, code }: { readonly title?: string; readonly code: string }): JSX.Element {
  const [copied, copy] = useCopied<'code'>()
  return (
    <figure class="code-block" aria-label={title ?? 'Code'}>
      <figcaption class="spread">
        <span class="label">{title}</span>
        <button
          type="button"
          class="copy-form"
          aria-label={title === undefined ? undefined : `${copied === null ? 'Copy' : 'Copied'}: ${title}`}
          onClick={() => copy('code', code)}
        >
          {copied === null ? 'Copy' : 'Copied'}
        </button>
        <span class="hidden-label" role="status">
          {copied === null ? '' : 'Copied'}
        </span>
      </figcaption>
      {/* Long lines scroll: the keyboard has to reach that. */}
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
    </figure>
  )
}
