import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { catalog, topics, views } from '../ask/catalog.ts'
import { server } from '../ask/server.ts'
import { Badge, Dot } from '../design/badge.tsx'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { TabPanel, Tabs, tabOf } from '../design/tabs.tsx'
import { Editor } from '../querying/editor.tsx'
import { QueryPlan } from '../querying/plan.tsx'
import { ResultChart, ResultRows } from '../querying/result.tsx'
import { Run, type RunState } from '../querying/run.ts'
import { SaveView } from '../querying/save-view.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { query, setQuery } from '../shell/place.ts'
import { sqlName } from '../snippets/quotes.ts'
import { liveSqlSnippets, planSnippets, sqlSnippets } from '../snippets/relations.ts'
import { count, plural } from '../text/numbers.ts'
import { duration } from '../text/times.ts'
import '../querying/query.css'

const tabs = [
  { id: 'rows', title: 'Rows' },
  { id: 'chart', title: 'Chart' },
  { id: 'plan', title: 'Plan' },
]

/** One SELECT over everything: run once, or followed tick by tick. What was run stands in the address. */
export function Page(): JSX.Element {
  const asked = query.value.get('sql')
  const live = query.value.get('live') === 'true'
  const [given, setGiven] = useState({ text: asked ?? query.value.get('draft') ?? '', serial: 0 })
  const [text, setText] = useState(given.text)
  const [serial, setSerial] = useState(0)
  const [saving, setSaving] = useState(false)
  const client = server.value
  const run = useMemo(() => (asked === null ? null : new Run(client, asked, live)), [client, asked, live, serial])
  useEffect(() => () => run?.stop(), [run])
  const put = (next: string): void => {
    setGiven({ text: next, serial: given.serial + 1 })
    setText(next)
  }
  // Going back in the history brings the query of before.
  useEffect(() => {
    if (asked !== null && asked !== text) put(asked)
  }, [asked])
  const start = (): void => {
    if (text.trim() === '') return
    setQuery({ sql: text, draft: null }, false)
    setSerial(serial + 1)
  }
  const state = run?.state.value ?? null
  const snippets = tabOf(tabs) === 'plan' ? planSnippets : live ? liveSqlSnippets : sqlSnippets
  return (
    <div class="page whole">
      <PageHead title="Query" actions={text.trim() === '' ? undefined : <CopyAs snippets={snippets(text)} />} />
      <Editor given={given} onChange={setText} onRun={start} />
      <div class="query-tools">
        <button type="button" class="button primary" disabled={text.trim() === ''} onClick={start}>
          Run <kbd class="on-accent">Ctrl ↵</kbd>
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={live}
          onClick={() => setQuery({ live: live ? null : 'true' })}
        >
          <Dot tone={live ? 'good' : 'plain'} />
          Live
        </button>
        <button type="button" class="button plain" disabled={asked === null} onClick={() => setSaving(true)}>
          Save as a view …
        </button>
        {/* A query that is followed says another tick all the time. */}
        <span class="query-note label num" role={live ? undefined : 'status'}>
          {state === null ? '' : noteOf(state)}
          {live && state?.running === true && state.answer !== null && <LiveBadge />}
        </span>
      </div>
      {asked === null || state === null ? <Examples onChoose={put} /> : <Answer sql={asked} state={state} />}
      {saving && asked !== null && <SaveView sql={asked} onClose={() => setSaving(false)} />}
    </div>
  )
}

/** Where nobody answers, what is shown is as old as its tick: it is followed again by itself. */
function LiveBadge(): JSX.Element {
  const isLost = catalog.value.refusal !== null
  return <Badge tone={isLost ? 'bad' : 'good'}>{isLost ? 'no answer' : 'live'}</Badge>
}

function noteOf({ answer, refusal, running, ms }: RunState): string {
  if (refusal !== null) return ''
  if (answer === null) return running ? 'running …' : ''
  const took = ms === null ? '' : ` in ${duration(ms)}`
  return `${plural(answer.size, 'row')}${took} at tick ${count(answer.tick)} `
}

function Answer({ sql, state }: { readonly sql: string; readonly state: RunState }): JSX.Element {
  const tab = tabOf(tabs)
  const { answer, refusal } = state
  return (
    <>
      <Tabs label="Parts of the answer" tabs={tabs} />
      <TabPanel tab={tab}>
        {tab === 'plan' ? (
          <QueryPlan sql={sql} />
        ) : refusal !== null ? (
          <Trouble {...(answer === null ? {} : { title: 'The live query ended' })} refusal={refusal} />
        ) : answer === null ? (
          <Waiting what="Running" />
        ) : tab === 'chart' ? (
          <ResultChart answer={answer} />
        ) : (
          <ResultRows answer={answer} />
        )}
      </TabPanel>
    </>
  )
}

/** Queries to begin with, over what is defined. */
function Examples({ onChoose }: { readonly onChoose: (sql: string) => void }): JSX.Element {
  const view = views.value[0]
  const topic = topics.value.find(({ kind }) => kind === 'topic') ?? topics.value[0]
  const examples = [
    ...(view === undefined ? [] : [`SELECT * FROM ${sqlName(view.name)} LIMIT 100`]),
    ...(topic === undefined ? [] : [`SELECT count(*) AS events, max(_tick) AS newest FROM ${sqlName(topic.name)}`]),
    ...(topic?.kind === 'topic' ? [`SELECT * FROM ${sqlName(topic.name)} ORDER BY _offset DESC LIMIT 20`] : []),
  ]
  return (
    <Empty title="Ask anything that is defined">
      <p>
        One SELECT over topics, tables and views, in PostgreSQL’s SQL, all at one tick. Names complete as you type;{' '}
        <kbd>Ctrl</kbd> <kbd>↵</kbd> runs it.
      </p>
      <ul class="examples">
        {examples.map((sql) => (
          <li key={sql}>
            <button type="button" class="mono" onClick={() => onChoose(sql)}>
              {sql}
            </button>
          </li>
        ))}
      </ul>
    </Empty>
  )
}
