import type { StatusBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import { topics } from '../ask/catalog.ts'
import { CodeBlock } from '../design/code-block.tsx'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { Panel } from '../design/panel.tsx'
import { Stat } from '../design/stat.tsx'
import { TopicVolume, ViewFreshness } from '../overview/relations.tsx'
import { Recent, Resources, ServerNote } from '../overview/resources.tsx'
import { Verdict } from '../overview/verdict.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { statusSnippets, topicsSnippets, viewsSnippets } from '../snippets/telemetry.ts'
import { short } from '../text/numbers.ts'
import { duration } from '../text/times.ts'
import '../overview/overview.css'

const everyMs = 1000

/** Whether all is right and fresh, at a glance. */
export function Page(): JSX.Element {
  const asked = useAsked('status', (server, signal) => server.status({ signal }), everyMs)
  const { value, refusal } = asked.value
  return (
    <div class="page">
      <PageHead
        title="Overview"
        note={value === null ? undefined : <ServerNote status={value} />}
        actions={<CopyAs snippets={statusSnippets('{ verdict, rates }')} />}
      />
      {value !== null ? (
        <Overview status={value} />
      ) : refusal !== null ? (
        <Trouble refusal={refusal} />
      ) : (
        <Waiting what="Asking how it is" />
      )}
    </div>
  )
}

function Overview({ status }: { readonly status: StatusBody }): JSX.Element {
  const { rates, series, tick_ms: ticks } = status
  return (
    <>
      <Verdict status={status} />
      <div class="stats">
        <Stat label="Events in" value={short(rates.events_per_second)} unit="/s" series={series.events} />
        <Stat label="Changes out" value={short(rates.changes_per_second)} unit="/s" series={series.changes} />
        <Stat label="Appends" value={short(rates.appends_per_second)} unit="/s" series={series.appends} />
        <Stat
          label="Tick, p99"
          {...split(ticks.p99 === null ? '–' : duration(ticks.p99))}
          series={series.tick_ms_p99.map((value) => value ?? 0)}
        />
      </div>
      {status.views.length + status.topics.length === 0 ? (
        <Nothing />
      ) : (
        <div class="overview-grid">
          <div class="overview-main">
            <Panel
              title="Views"
              note="freshness: from an append’s arrival to its change being visible"
              copy={viewsSnippets(status.views)}
            >
              {status.views.length > 0 ? <ViewFreshness status={status} /> : <p class="label">The app has no views.</p>}
            </Panel>
            <Panel title="Topics" copy={topicsSnippets(topics.value)}>
              <TopicVolume status={status} />
            </Panel>
          </div>
          <div class="overview-side">
            <Panel title="Memory and disk" copy={statusSnippets('{ memory, disk }')}>
              <Resources status={status} />
            </Panel>
            <Panel title="Lately" copy={statusSnippets('{ recent }')}>
              <Recent status={status} />
            </Panel>
          </div>
        </div>
      )}
    </>
  )
}

/** `12 ms` as a figure and its unit. */
function split(text: string): { readonly value: string; readonly unit?: string } {
  const [value, unit] = text.split(' ')
  return unit === undefined ? { value } : { value, unit }
}

function Nothing(): JSX.Element {
  return (
    <Empty title="Nothing is defined yet">
      <p>Write an app and save it: the server takes it over at once.</p>
      <CodeBlock
        title="millrace.sql"
        code={`CREATE TABLE bid (auction bigint NOT NULL, price bigint NOT NULL);
CREATE MATERIALIZED VIEW top AS
  SELECT auction, count(*) AS bids, max(price) AS best
  FROM bid GROUP BY auction;`}
      />
    </Empty>
  )
}
