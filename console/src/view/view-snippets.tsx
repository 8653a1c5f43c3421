import type { JSX } from 'preact'
import type { ViewInfo } from '../ask/catalog.ts'
import { CodeBlock } from '../design/code-block.tsx'
import { query } from '../shell/place.ts'
import { liveSnippets, viewSnippets } from '../snippets/relations.ts'

/** Ready to paste: the rows, and their changes. */
export function ViewSnippets({ view }: { readonly view: ViewInfo }): JSX.Element {
  const order = query.value.get('order') ?? view.order[0]
  const asOf = query.value.get('as_of')
  const rows = viewSnippets(view, { order: order === undefined ? [] : [order], asOf })
  const live = liveSnippets(view.name)
  return (
    <div class="snippets">
      <CodeBlock title="Rows, with curl" code={rows.curl!} />
      <CodeBlock title="Rows, in TypeScript" code={rows.typescript!} />
      {rows.sql !== undefined && <CodeBlock title="Rows, in SQL" code={rows.sql} />}
      <CodeBlock title="Changes, with curl" code={live.curl!} />
      <CodeBlock title="Changes, in TypeScript" code={live.typescript!} />
    </div>
  )
}
