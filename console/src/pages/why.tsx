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
import { eventsSql, rowSql, type WhyAsked, whySnippets } from '../snippets/explanations.ts'
import { count, plural } from '../text/numbers.ts'
import { AskRow } from '../why/ask-row.tsx'
import { appendedAt, EventLink } from '../why/event-link.tsx'
import { RowFacts } from '../why/row-facts.tsx'
import { StepTree } from '../why/step-tree.tsx'
import { WhyEvents } from '../why/why-events.tsx'
import { keyInAddress, keyText } from '../why/why-key.ts'
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
  const asked: WhyAsked = { view: name, key, asOf, limit: listedEvents }
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
        actions={
          empty ? undefined : (
            <CopyAs snippets={{ ...rowSql(asked, view.errors), ...whySnippets(asked, '{ row, step, absent }') }} />
          )
        }
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
        <Explained asked={asked} />
      )}
    </div>
  )
}

function Explained({ asked }: { readonly asked: WhyAsked }): JSX.Element {
  const { view, key, asOf, limit } = asked
  const answer = useAsked(`why ${view} ${JSON.stringify(key)} ${asOf}`, (server, signal) =>
    server.why(view, key, { limit, signal, ...(asOf === null ? {} : { asOf }) }),
  )
  const { value, refusal } = answer.value
  if (refusal !== null) return <Trouble refusal={refusal} />
  if (value === null) return <Waiting what="Running the log through the plan once more" />
  return value.found ? <Found why={value} asked={asked} /> : <Absent why={value} asked={asked} />
}

interface AnswerProps {
  readonly why: WhyBody
  readonly asked: WhyAsked
}

function Found({ why, asked }: AnswerProps): JSX.Element {
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
      {row !== null && <RowFacts row={row} marked={new Set(Object.keys(asked.key))} />}
      <div style={{ height: '16px' }} />
      <Panel title="How it came about" note="from the view down to events" copy={whySnippets(asked, '{ step }')}>
        {step !== null && <StepTree step={step} />}
      </Panel>
      <Panel title="Events" copy={{ ...eventsSql(events.listed), ...whySnippets(asked, '{ events }') }}>
        <WhyEvents events={events} />
      </Panel>
    </>
  )
}

function Absent({ why, asked }: AnswerProps): JSX.Element {
  const { absent, tick } = why
  return (
    <>
      <p class="why-lead">
        <Badge tone="warn">not there</Badge> {absent?.reason ?? `There is no such row at tick ${count(tick)}.`}
      </p>
      {absent?.nearest != null && (
        <Panel title="What came nearest" note="down to where it ended" copy={whySnippets(asked, '{ absent }')}>
          <StepTree step={absent.nearest} />
        </Panel>
      )}
    </>
  )
}
