import type { JSX } from 'preact'
import { useState } from 'preact/hooks'

export interface Snippets {
  readonly sql?: string
  readonly curl?: string
  readonly typescript?: string
}

const names = { sql: 'SQL', curl: 'curl', typescript: 'TypeScript' } as const
type Form = keyof typeof names
const toldMs = 1200

/** What a panel shows, to be asked for elsewhere: copied as SQL, curl or TypeScript. */
export function CopyAs({ snippets }: { snippets: Snippets }): JSX.Element {
  const [copied, setCopied] = useState<Form | null>(null)
  const copy = async (form: Form): Promise<void> => {
    await navigator.clipboard.writeText(snippets[form]!)
    setCopied(form)
    setTimeout(() => setCopied(null), toldMs)
  }
  const forms = (Object.keys(names) as Form[]).filter((form) => snippets[form] !== undefined)
  return (
    <fieldset class="copy-as">
      <legend class="hidden-label">Copy as</legend>
      <span class="label" aria-hidden="true">
        Copy as
      </span>
      {forms.map((form) => (
        <button type="button" key={form} class="copy-form" title={snippets[form]} onClick={() => copy(form)}>
          {copied === form ? 'Copied' : names[form]}
        </button>
      ))}
      <span class="hidden-label" role="status">
        {copied === null ? '' : `${names[copied]} copied`}
      </span>
    </fieldset>
  )
}
