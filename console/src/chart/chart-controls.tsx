import type { JSX } from 'preact'
import { query, setQuery } from '../shell/place.ts'
import { isNumeric } from '../text/numbers.ts'
import { type ChartColumn, type ChartShape, guess, isTime, type Mark, marksOf } from './shape.ts'

const markNames: Readonly<Record<Mark, string>> = { line: 'Lines', bar: 'Bars', map: 'Map', table: 'Table' }

/** The chart that the address asks for, or the one that these columns suggest; null where they allow none. */
export function chartInAddress(columns: readonly ChartColumn[]): ChartShape | null {
  const marks = marksOf(columns)
  const asked = query.value
  const mark = marks.find((one) => one === asked.get('mark')) ?? marks[0]
  if (mark === undefined) return null
  const shape = guess(columns, mark)
  if (shape === null) return null
  const named = (parameter: string): string | undefined =>
    columns.find(({ name }) => name === asked.get(parameter))?.name
  return {
    mark,
    x: named('x') ?? shape.x,
    y: named('y') ?? shape.y,
    by: asked.get('by') === '' ? null : (named('by') ?? shape.by),
  }
}

interface ChartControlsProps {
  readonly columns: readonly ChartColumn[]
  readonly shape: ChartShape
}

/** What is drawn against what: in the address, too. */
export function ChartControls({ columns, shape }: ChartControlsProps): JSX.Element {
  const names = (wanted: (column: ChartColumn) => boolean): string[] => columns.filter(wanted).map(({ name }) => name)
  const figures = names(({ type }) => isNumeric(type))
  const across = shape.mark === 'line' ? names(({ type }) => isTime(type) || isNumeric(type)) : names(() => true)
  return (
    <div class="line chart-controls">
      <Choice label="Draw as" parameter="mark" value={shape.mark} options={marksOf(columns)} names={markNames} />
      <Choice label="of" parameter="y" value={shape.y} options={figures} />
      <Choice label={shape.mark === 'line' ? 'over' : 'by'} parameter="x" value={shape.x} options={across} />
      {shape.mark === 'line' && (
        <Choice
          label="a line per"
          parameter="by"
          value={shape.by ?? ''}
          options={['', ...names(({ type }) => !isTime(type) && !isNumeric(type))]}
          names={{ '': 'nothing' }}
        />
      )}
    </div>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly parameter: string
  readonly value: string
  readonly options: readonly string[]
  readonly names?: Readonly<Record<string, string>>
}

function Choice({ label, parameter, value, options, names = {} }: ChoiceProps): JSX.Element {
  const id = `chart-${parameter}`
  return (
    <span class="line choice">
      <label class="label" for={id}>
        {label}
      </label>
      <select
        id={id}
        class="field"
        value={value}
        onChange={(event) => setQuery({ [parameter]: event.currentTarget.value })}
      >
        {options.map((option) => (
          <option key={option} value={option}>
            {names[option] ?? option}
          </option>
        ))}
      </select>
    </span>
  )
}
