import type { SqlBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import { Trouble, Waiting } from '../design/empty.tsx'
import { Panel } from '../design/panel.tsx'
import { type SimpleColumn, SimpleTable } from '../design/simple-table.tsx'
import { shownText } from '../rows/order.ts'
import { eventAddress } from '../shell/place.ts'
import { sqlSnippets } from '../snippets/relations.ts'
import { count, plural } from '../text/numbers.ts'

const listed = 10
const sql = `SELECT topic, _offset, event_time, watermark, distance
FROM _late ORDER BY watermark DESC, _offset DESC LIMIT ${listed}`

type Cells = SqlBody['rows'][number]

/** The latest of the events that came behind their watermark: looked for in the log, and again only when asked. */
export function LateEvents({ late }: { readonly late: number }): JSX.Element {
  const [known, setKnown] = useState(late)
  const asked = useAsked(`late ${known}`, (server, signal) => server.relations.sql(sql, { signal }))
  const { value, refusal } = asked.value
  return (
    <Panel
      title="Late events"
      note={`${count(late)} in all${late > listed ? `; the latest ${listed}` : ''}`}
      copy={sqlSnippets(sql)}
      actions={
        late > known && (
          <button type="button" class="button plain" onClick={() => setKnown(late)}>
            {`${plural(late - known, 'more', 'more')} since: look again`}
          </button>
        )
      }
    >
      {value !== null ? (
        <SimpleTable
          label="Late events"
          columns={columns}
          rows={value.rows}
          keyOf={([topic, offset]) => `${topic} ${offset}`}
        />
      ) : refusal !== null ? (
        <Trouble refusal={refusal} />
      ) : (
        <Waiting what="Looking through the log" />
      )}
    </Panel>
  )
}

const columns: readonly SimpleColumn<Cells>[] = [
  {
    title: 'Event',
    cell: ([topic, offset]) => (
      <a class="table-link num" href={eventAddress(String(topic), Number(offset))}>
        {`${topic} ${count(Number(offset))}`}
      </a>
    ),
  },
  { title: 'Its time', cell: ([, , at]) => <span class="num">{shownText(at)}</span> },
  { title: 'The watermark', cell: ([, , , watermark]) => <span class="num">{shownText(watermark)}</span> },
  { title: 'Late by', numeric: true, cell: ([, , , , distance]) => shownText(distance) },
]
