import type { JSX } from 'preact'
import { shownText } from '../rows/order.ts'

interface RowFactsProps {
  readonly row: Readonly<Record<string, unknown>>
  /** Columns that stand out: those of the key, or those that changed. */
  readonly marked?: ReadonlySet<string>
}

/** A row in a line: each column with its value. */
export function RowFacts({ row, marked }: RowFactsProps): JSX.Element {
  return (
    <span class="row-facts">
      {Object.entries(row).map(([name, value]) => {
        const text = shownText(value)
        return (
          <span key={name} class={marked?.has(name) ? 'row-fact marked' : 'row-fact'}>
            <span class="row-fact-name">{name}</span>{' '}
            <span class="num">{text === null ? <span class="null">null</span> : text}</span>
          </span>
        )
      })}
    </span>
  )
}
