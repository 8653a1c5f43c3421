import type { ComponentChildren, JSX } from 'preact'

interface PageHeadProps {
  readonly title: string
  /** Beside the title: what kind of thing it is, how much of it there is. */
  readonly note?: ComponentChildren
  readonly actions?: ComponentChildren
}

/** A page's first line. */
export function PageHead({ title, note, actions }: PageHeadProps): JSX.Element {
  return (
    <header class="page-head">
      <h1 class="cut" tabIndex={-1}>
        {title}
      </h1>
      {note !== undefined && <div class="page-note line">{note}</div>}
      {actions !== undefined && <div class="page-actions">{actions}</div>}
    </header>
  )
}
