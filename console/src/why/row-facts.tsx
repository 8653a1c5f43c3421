import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { shownText } from '../rows/order.ts'
import { plural } from '../text/numbers.ts'

/** Of a row with many columns so many are shown, and those that stand out. */
const fewFacts = 24

interface RowFactsProps {
  readonly row: Readonly<Record<string, unknown>>
  /** Columns that stand out: those of the key, or those that changed. */
  readonly marked?: ReadonlySet<string>
}

/** A row in a line: each column with its value. */
export function RowFacts({ row, marked }: RowFactsProps): JSX.Element {
  const [all, setAll] = useState(false)
  const facts = Object.entries(row)
  const shown =
    all || facts.length <= fewFacts * 1.5 ? facts : facts.filter(([name], i) => i < fewFacts || marked?.has(name))
  return (
    <span class="row-facts">
      {shown.map(([name, value]) => {
        const text = shownText(value)
        return (
          <span key={name} class={marked?.has(name) ? 'row-fact marked' : 'row-fact'}>
            <span class="row-fact-name">{name}</span>{' '}
            <span class="num">{text === null ? <span class="null">null</span> : text}</span>
          </span>
        )
      })}
      {shown.length < facts.length && (
        <button type="button" class="copy-form" onClick={() => setAll(true)}>
          {`${plural(facts.length - shown.length, 'more column')} …`}
        </button>
      )}
    </span>
  )
}
