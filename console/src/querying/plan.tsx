import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import { Trouble, Waiting } from '../design/empty.tsx'

/** How a query would be computed: nothing of it is run. */
export function QueryPlan({ sql }: { readonly sql: string }): JSX.Element {
  const asked = useAsked(`explain ${sql}`, (server, signal) => server.relations.explain(sql, signal))
  const { value, refusal } = asked.value
  if (refusal !== null) return <Trouble refusal={refusal} />
  if (value === null) return <Waiting what="Planning" />
  return (
    // Long plans scroll: the keyboard has to reach that.
    <ol class="query-plan mono" aria-label="Plan" tabIndex={0}>
      {value.nodes.map(({ depth, text }, i) => {
        const [word, ...rest] = text.split(' ')
        return (
          <li key={`${i} ${text}`} style={{ paddingLeft: `${depth * 20}px` }}>
            <strong>{word}</strong> {rest.join(' ')}
          </li>
        )
      })}
    </ol>
  )
}
