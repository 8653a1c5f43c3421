import type { JSX } from 'preact'
import type { Snippets } from '../snippets/snippet.ts'
import { useCopied } from './copied.ts'

const names = { sql: 'SQL', curl: 'curl', typescript: 'TypeScript' } as const
type Form = keyof typeof names

interface CopyFormsProps {
  readonly snippets: Snippets
  /** What is copied, for those who don't see where this stands. */
  readonly legend: string
  readonly onCopied?: () => void
}

/** The languages that something can be asked in: each a button that copies it. */
export function CopyForms({ snippets, legend, onCopied }: CopyFormsProps): JSX.Element {
  const [copied, copy] = useCopied<Form>(onCopied)
  const forms = (Object.keys(names) as Form[]).filter((form) => snippets[form] !== undefined)
  return (
    <fieldset class="copy-forms">
      <legend class="hidden-label">{legend}</legend>
      {forms.map((form) => (
        <button
          type="button"
          key={form}
          class="copy-form"
          title={snippets[form]}
          // The text itself is for the eye: read out, it would drown the button's name.
          aria-description={`copies it as ${names[form]}`}
          onClick={() => copy(form, snippets[form]!)}
        >
          {copied === form ? 'Copied' : names[form]}
        </button>
      ))}
      <span class="hidden-label" role="status">
        {copied === null ? '' : `${names[copied]} copied`}
      </span>
    </fieldset>
  )
}

/** What a page shows, to be asked for elsewhere: copied as SQL, curl or TypeScript. */
export function CopyAs({ snippets }: { readonly snippets: Snippets }): JSX.Element {
  return (
    <div class="copy-as">
      <span class="label" aria-hidden="true">
        Copy as
      </span>
      <CopyForms snippets={snippets} legend="Copy as" />
    </div>
  )
}
