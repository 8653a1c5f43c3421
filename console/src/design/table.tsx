import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { tracksOf } from './table-tracks.ts'
import './table.css'

export interface TableColumn<Row> {
  readonly name: string
  readonly numeric?: boolean
  /** What the cell says; null is NULL. */
  readonly text: (row: Row) => string | null
  /** In place of the text. */
  readonly render?: (row: Row) => ComponentChildren
  /** Takes what room is left. */
  readonly grow?: boolean
}

interface TableProps<Row> {
  readonly label: string
  readonly columns: readonly TableColumn<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row, index: number) => string
  /** The column that rows are in order of, with a minus for descending. */
  readonly order?: string | null
  readonly onOrder?: (order: string) => void
  readonly onOpen?: (row: Row, column: TableColumn<Row>) => void
  /** Whether a cell lights up, having just changed. */
  readonly lit?: (row: Row, column: string) => '' | 'flash'
  readonly chosen?: string | null
  /** Rows that are there, where not all of them are at hand. */
  readonly rowCount?: number
}

const rowHeight = 28
/** So many rows say how wide columns are. */
const enoughRows = 60
/** Rows above and below what is seen. */
const margin = 6

interface Active {
  readonly row: number
  readonly column: number
}

/** Rows in columns: only those in sight are on the page. Arrows go from cell to cell, Enter opens one. */
export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { label, columns, rows, keyOf, order = null, onOrder, onOpen, lit, chosen = null, rowCount } = props
  const scroller = useRef<HTMLDivElement>(null)
  const [seen, setSeen] = useState({ top: 0, height: 600 })
  const [active, setActive] = useState<Active | null>(null)
  const tracks = useRef<{ of: unknown; rows: number; text: string } | null>(null)

  // Widths follow the first rows and then stay, so that columns don't dance while rows change.
  const signature = columns.map(({ name }) => name).join('\n')
  const measured = tracks.current
  if (measured?.of !== signature || (measured.rows < enoughRows && rows.length > measured.rows)) {
    tracks.current = { of: signature, rows: rows.length, text: tracksOf(columns, rows) }
  }

  useLayoutEffect(() => {
    const element = scroller.current!
    const look = (): void => setSeen({ top: element.scrollTop, height: element.clientHeight })
    const observer = new ResizeObserver(look)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    const element = scroller.current!
    if (active === null) return
    const top = active.row * rowHeight
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + rowHeight * 2 + 2 > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + rowHeight * 2 + 2 - element.clientHeight
    }
  }, [active])

  const first = Math.max(0, Math.floor(seen.top / rowHeight) - margin)
  const last = Math.min(rows.length, Math.ceil((seen.top + seen.height) / rowHeight) + margin)
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.target !== scroller.current || rows.length === 0) return
    const at = active ?? { row: Math.min(rows.length - 1, Math.round(seen.top / rowHeight)), column: 0 }
    if (event.key === 'Enter') {
      if (active !== null && active.row < rows.length) onOpen?.(rows[active.row], columns[active.column])
      return
    }
    const moved = active === null ? at : movedBy(event, at, Math.max(1, Math.floor(seen.height / rowHeight) - 2))
    if (moved === null || !isMove(event.key)) return
    event.preventDefault()
    setActive({
      row: Math.max(0, Math.min(rows.length - 1, moved.row)),
      column: Math.max(0, Math.min(columns.length - 1, moved.column)),
    })
  }
  const style = { gridTemplateColumns: tracks.current!.text }
  const id = (row: number, column: number): string => `cell-${label.replace(/\W+/g, '-')}-${row}-${column}`
  return (
    <div
      class="table"
      ref={scroller}
      role="grid"
      aria-label={label}
      aria-rowcount={(rowCount ?? rows.length) + 1}
      aria-colcount={columns.length}
      aria-activedescendant={active !== null && active.row < rows.length ? id(active.row, active.column) : undefined}
      tabIndex={0}
      onScroll={(event) => setSeen({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
      onKeyDown={onKeyDown}
    >
      <div class="table-inner" role="presentation">
        <Head columns={columns} order={order} onOrder={onOrder} style={style} />
        <div class="table-body" role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
          <div class="table-window" role="presentation" style={{ transform: `translateY(${first * rowHeight}px)` }}>
            {rows.slice(first, last).map((row, i) => {
              const index = first + i
              const key = keyOf(row, index)
              const lights = columns.map(({ name }) => lit?.(row, name) ?? '')
              // A row that lights up as a whole does so as one.
              const whole = lights.every((light) => light === lights[0]) ? (lights[0] ?? '') : ''
              return (
                <div
                  key={key}
                  role="row"
                  aria-rowindex={index + 2}
                  aria-selected={chosen === null ? undefined : key === chosen}
                  class={`table-row body${key === chosen ? ' chosen' : ''}${whole === '' ? '' : ` ${whole}`}`}
                  style={style}
                >
                  {columns.map((column, c) => (
                    <Cell
                      key={column.name}
                      id={id(index, c)}
                      row={row}
                      column={column}
                      active={active?.row === index && active.column === c}
                      lit={whole === '' ? lights[c] : ''}
                      onClick={() => {
                        setActive({ row: index, column: c })
                        onOpen?.(row, column)
                      }}
                    />
                  ))}
                </div>
              )
            })}
          </div>
        </div>
      </div>
    </div>
  )
}

interface CellProps<Row> {
  readonly id: string
  readonly row: Row
  readonly column: TableColumn<Row>
  readonly active: boolean
  readonly lit: string
  readonly onClick: () => void
}

function Cell<Row>({ id, row, column, active, lit, onClick }: CellProps<Row>): JSX.Element {
  const text = column.text(row)
  const name = `cell${column.numeric === true ? ' right' : ''}${active ? ' active' : ''}${lit === '' ? '' : ` ${lit}`}`
  return (
    <div
      class={name}
      id={id}
      role="gridcell"
      title={text !== null && text.length > 24 ? text : undefined}
      onClick={onClick}
    >
      {column.render !== undefined ? column.render(row) : text === null ? <span class="null">null</span> : text}
    </div>
  )
}

interface HeadProps<Row> {
  readonly columns: readonly TableColumn<Row>[]
  readonly order: string | null
  readonly onOrder: ((order: string) => void) | undefined
  readonly style: { readonly gridTemplateColumns: string }
}

function Head<Row>({ columns, order, onOrder, style }: HeadProps<Row>): JSX.Element {
  return (
    <div class="table-head" role="rowgroup">
      <div class="table-row" role="row" aria-rowindex={1} style={style}>
        {columns.map(({ name, numeric }) => {
          const sorted = order === name ? 'ascending' : order === `-${name}` ? 'descending' : undefined
          const mark = sorted === undefined ? '' : sorted === 'ascending' ? ' ↑' : ' ↓'
          return (
            <div
              key={name}
              role="columnheader"
              aria-sort={sorted}
              class={numeric ? 'head-cell right cut' : 'head-cell cut'}
            >
              {onOrder === undefined ? (
                name
              ) : (
                <button type="button" onClick={() => onOrder(sorted === 'ascending' ? `-${name}` : name)}>
                  {name}
                  {mark}
                </button>
              )}
            </div>
          )
        })}
      </div>
    </div>
  )
}

const moves = new Set(['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End', 'PageUp', 'PageDown'])

function isMove(key: string): boolean {
  return moves.has(key)
}

function movedBy({ key, ctrlKey }: KeyboardEvent, { row, column }: Active, page: number): Active | null {
  switch (key) {
    case 'ArrowUp':
      return { row: row - 1, column }
    case 'ArrowDown':
      return { row: row + 1, column }
    case 'ArrowLeft':
      return { row, column: column - 1 }
    case 'ArrowRight':
      return { row, column: column + 1 }
    case 'Home':
      return ctrlKey ? { row: 0, column: 0 } : { row, column: 0 }
    case 'End':
      return ctrlKey ? { row: Number.MAX_SAFE_INTEGER, column } : { row, column: Number.MAX_SAFE_INTEGER }
    case 'PageUp':
      return { row: row - page, column }
    case 'PageDown':
      return { row: row + page, column }
    default:
      return null
  }
}
