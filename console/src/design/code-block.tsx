import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import './code-block.css'

/** Text to read or to copy. */
export function CodeBlock({ title, code }: { readonly title?: string; readonly code: string }): JSX.Element {
  const [copied, setCopied] = useState(false)
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(code)
    setCopied(true)
    setTimeout(() => setCopied(false), 1200)
  }
  return (
    <figure class="code-block" aria-label={title ?? 'Code'}>
      <figcaption class="spread">
        <span class="label">{title}</span>
        <button type="button" class="copy-form" onClick={copy}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      </figcaption>
      {/* Long lines scroll: the keyboard has to reach that. */}
      <pre tabIndex={0}>
        <code>{code}</code>
      </pre>
    </figure>
  )
}
