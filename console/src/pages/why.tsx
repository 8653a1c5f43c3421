import type { WhyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import { catalog, type ViewInfo, viewNamed } from '../ask/catalog.ts'
import { Badge } from '../design/badge.tsx'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { Panel } from '../design/panel.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { query, viewAddress } from '../shell/place.ts'
import type { PageProps } from '../shell/routes.ts'
import { count, plural } from '../text/numbers.ts'
import { AskRow } from '../why/ask-row.tsx'
import { appendedAt, EventLink } from '../why/event-link.tsx'
import { RowFacts } from '../why/row-facts.tsx'
import { StepTree } from '../why/step-tree.tsx'
import { WhyEvents } from '../why/why-events.tsx'
import { keyInAddress, keyText, type RowKey } from '../why/why-key.ts'
import '../why/why.css'

const listedEvents = 200

export function Page({ names: [name] }: PageProps): JSX.Element {
  const view = viewNamed(name)
  if (view !== undefined) return <Why view={view} />
  if (catalog.value.value === null) return <Waiting what="Asking what is defined" />
  return <Empty title={`There is no view ${name}`} />
}

/** Why a row says what it says, down to events; or why it is not there. */
function Why({ view }: { readonly view: ViewInfo }): JSX.Element {
  const { name } = view
  const key = keyInAddress(query.value)
  const asOf = query.value.get('as_of')
  const empty = Object.keys(key).length === 0
  return (
    <div class="page">
      <PageHead
        title={`Why: ${name}`}
        note={
          <>
            <span>{empty ? 'choose a row' : keyText(key)}</span>
            {asOf !== null && <Badge>{`as of ${asOf}`}</Badge>}
            <a class="link" href={viewAddress(name) + (asOf === null ? '' : `?as_of=${asOf}`)}>
              Rows
            </a>
          </>
        }
        actions={empty ? undefined : <CopyAs snippets={snippets(name, key, asOf)} />}
      />
      <AskRow key={JSON.stringify(key)} view={view} asked={key} />
      {empty ? (
        <Empty title="Which row?">
          <p>
            Give as many columns as tell one row from the others, of a row that is there or of one that you miss. A
            click on a cell of{' '}
            <a class="link" href={viewAddress(name)}>
              {name}
            </a>{' '}
            asks about its row.
          </p>
        </Empty>
      ) : (
        <Explained view={view} rowKey={key} asOf={asOf} />
      )}
    </div>
  )
}

interface ExplainedProps {
  readonly view: ViewInfo
  readonly rowKey: RowKey
  readonly asOf: string | null
}

function Explained({ view, rowKey, asOf }: ExplainedProps): JSX.Element {
  const asked = useAsked(`why ${view.name} ${JSON.stringify(rowKey)} ${asOf}`, (server, signal) =>
    server.why(view.name, rowKey, { limit: listedEvents, signal, ...(asOf === null ? {} : { asOf }) }),
  )
  const { value, refusal } = asked.value
  if (refusal !== null) return <Trouble refusal={refusal} />
  if (value === null) return <Waiting what="Running the log through the plan once more" />
  return value.found ? <Found why={value} rowKey={rowKey} /> : <Absent why={value} />
}

function Found({ why, rowKey }: { readonly why: WhyBody; readonly rowKey: RowKey }): JSX.Element {
  const { events, row, step, copies, tick } = why
  const { first, last } = events
  return (
    <>
      <p class="why-lead num">
        {`At tick ${count(tick)} it is made of ${plural(events.count, 'event')}`}
        {copies > 1 && `, and is there ${count(copies)} times`}.
        {first !== null && last !== null && events.count > 1 && (
          <>
            {' The first is '}
            <EventLink event={first} />
            {`, appended ${appendedAt(first)}; the last `}
            <EventLink event={last} />
            {`, ${appendedAt(last)}.`}
          </>
        )}
      </p>
      {row !== null && <RowFacts row={row} marked={new Set(Object.keys(rowKey))} />}
      <div style={{ height: '16px' }} />
      <Panel title="How it came about" note="from the view down to events">
        {step !== null && <StepTree step={step} />}
      </Panel>
      <Panel title="Events">
        <WhyEvents events={events} />
      </Panel>
    </>
  )
}

function Absent({ why }: { readonly why: WhyBody }): JSX.Element {
  const { absent, tick } = why
  return (
    <>
      <p class="why-lead">
        <Badge tone="warn">not there</Badge> {absent?.reason ?? `There is no such row at tick ${count(tick)}.`}
      </p>
      {absent?.nearest != null && (
        <Panel title="What came nearest" note="down to where it ended">
          <StepTree step={absent.nearest} />
        </Panel>
      )}
    </>
  )
}

function snippets(view: string, key: RowKey, asOf: string | null) {
  const pairs = Object.entries(key).map(([column, value]) =>
    value === null
      ? `isnull=${encodeURIComponent(column)}`
      : `eq.${encodeURIComponent(column)}=${encodeURIComponent(value)}`,
  )
  if (asOf !== null) pairs.push(`as_of=${asOf}`)
  const options = asOf === null ? '' : `, { asOf: ${JSON.stringify(asOf)} }`
  return {
    curl: `curl '${location.origin}/v1/views/${encodeURIComponent(view)}/why?${pairs.join('&')}'`,
    typescript: `import { createInspector } from 'millrace/client'\n\nconst server = createInspector({ url: '${location.origin}' })\nconst { events, step } = await server.why(${JSON.stringify(view)}, ${JSON.stringify(key)}${options})\n`,
  }
}
