import type { TopologyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import { views } from '../ask/catalog.ts'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { query, setQuery } from '../shell/place.ts'
import { topologySnippets } from '../snippets/telemetry.ts'
import { count, plural } from '../text/numbers.ts'
import { Graph, within } from '../topology/graph.tsx'
import { NodeDetail } from '../topology/node-detail.tsx'
import '../topic/topic.css'
import '../topology/topology.css'
import '../why/why.css'

const everyMs = 2000
const nothing: TopologyBody = { tick: 0, nodes: [], edges: [] }

/** What runs: from topics through operators to views, and what flows between them. */
export function Page(): JSX.Element {
  const asked = useAsked('topology', (server, signal) => server.topology({ signal }), everyMs)
  const { value, refusal } = asked.value
  const view = query.value.get('view')
  const chosen = query.value.get('node')
  const shown = useMemo(() => (value === null ? nothing : within(value, view)), [value, view])
  const node = value?.nodes.find(({ id }) => id === chosen)
  return (
    <div class="page whole">
      <PageHead
        title="Topology"
        note={value !== null && <span>{`${plural(shown.nodes.length, 'part')}, at tick ${count(value.tick)}`}</span>}
        actions={
          <>
            <label class="line topology-of">
              <span class="label">Show</span>
              <select
                class="field"
                value={view ?? ''}
                onChange={({ currentTarget }) =>
                  setQuery({ view: currentTarget.value === '' ? null : currentTarget.value, node: null })
                }
              >
                <option value="">everything</option>
                {views.value.map(({ name }) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
            <CopyAs snippets={topologySnippets(view)} />
          </>
        }
      />
      {value === null ? (
        refusal === null ? (
          <Waiting what="Asking what runs" />
        ) : (
          <Trouble refusal={refusal} />
        )
      ) : value.nodes.length === 0 ? (
        <Empty title="Nothing runs yet">
          <p>Topics and views that the app defines show here, with what flows between them.</p>
        </Empty>
      ) : (
        <div class="topology">
          <Graph shown={shown} />
          {node !== undefined && <NodeDetail key={node.id} node={node} />}
        </div>
      )}
    </div>
  )
}
