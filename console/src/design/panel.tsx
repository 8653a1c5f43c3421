import type { ComponentChildren, JSX } from 'preact'
import type { Snippets } from '../snippets/snippet.ts'
import { CopyMenu } from './copy-menu.tsx'
import './panel.css'

interface PanelProps {
  readonly title: string
  /** Beside the title: a count, a unit. */
  readonly note?: ComponentChildren
  /** At the right end of the title's line. */
  readonly actions?: ComponentChildren
  /** What it shows, to be asked for elsewhere. */
  readonly copy?: Snippets
  /** Takes what is left of the page's height, and scrolls inside. */
  readonly fill?: boolean
  readonly children: ComponentChildren
}

/** A titled part of a page: set apart by a hairline and room, not by a box. */
export function Panel({ title, note, actions, copy, fill = false, children }: PanelProps): JSX.Element {
  return (
    <section class={fill ? 'panel fill' : 'panel'} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {note !== undefined && <span class="label num">{note}</span>}
        {(actions !== undefined || copy !== undefined) && (
          <div class="panel-actions">
            {actions}
            {copy !== undefined && <CopyMenu of={title} snippets={copy} />}
          </div>
        )}
      </header>
      {children}
    </section>
  )
}
