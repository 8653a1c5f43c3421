import type { JSX } from 'preact'
import { useAsked } from '../ask/asked.ts'
import type { ViewInfo } from '../ask/catalog.ts'
import { CodeBlock } from '../design/code-block.tsx'
import { Trouble, Waiting } from '../design/empty.tsx'
import { Panel } from '../design/panel.tsx'
import { type SimpleColumn, SimpleTable } from '../design/simple-table.tsx'
import { topicAddress, viewAddress } from '../shell/place.ts'
import { columnsSnippets } from '../snippets/relations.ts'
import { topologySnippets } from '../snippets/telemetry.ts'
import { bytes, count, short } from '../text/numbers.ts'
import { type PlanLine, planLines, type TopologyNode } from './plan-tree.ts'

const everyMs = 2000

/** What a view is: its SQL, its columns, and its plan with the rows that went through each part. */
export function ViewDefinition({ view }: { readonly view: ViewInfo }): JSX.Element {
  return (
    <div class="definition">
      <CodeBlock title="Definition" code={view.sql} />
      <Panel
        title="Plan"
        note="rows that went through each part since the engine’s start"
        copy={topologySnippets(view.name)}
      >
        <Plan view={view} />
      </Panel>
      <Panel title="Columns" copy={columnsSnippets(view.name)}>
        <SimpleTable label="Columns" columns={columnColumns} rows={view.columns} keyOf={({ name }) => name} />
      </Panel>
    </div>
  )
}

const columnColumns: readonly SimpleColumn<ViewInfo['columns'][number]>[] = [
  { title: 'Column', cell: ({ name }) => name },
  { title: 'Type', cell: ({ type }) => <span class="mono">{type}</span> },
  { title: 'NULL', cell: ({ nullable }) => (nullable ? 'may be' : <span class="quiet">never</span>) },
]

function Plan({ view }: { readonly view: ViewInfo }): JSX.Element {
  const asked = useAsked(`plan ${view.name}`, (server, signal) => server.topology({ signal }), everyMs)
  const { value, refusal } = asked.value
  if (value === null) return refusal === null ? <Waiting what="Asking what runs" /> : <Trouble refusal={refusal} />
  const lines = planLines(value, view.name)
  return (
    <SimpleTable label="Plan" columns={planColumns} rows={lines} keyOf={({ node, depth }) => `${depth} ${node.id}`} />
  )
}

const planColumns: readonly SimpleColumn<PlanLine>[] = [
  {
    title: 'Part',
    cell: ({ node, depth, again }) => (
      <span class="plan-part" style={{ paddingLeft: `${depth * 18}px` }} title={node.detail}>
        <Name node={node} />
        <span class="quiet">{again ? ' as above' : node.detail === '' ? '' : ` ${node.detail}`}</span>
      </span>
    ),
  },
  {
    title: 'In',
    numeric: true,
    cell: ({ node }) => (node.kind === 'topic' || node.kind === 'table' ? '' : count(node.rows_in)),
  },
  { title: 'Out', numeric: true, cell: ({ node }) => count(node.rows_out) },
  { title: 'Rows/s', numeric: true, cell: ({ node }) => short(node.rows_per_second) },
  { title: 'State', numeric: true, cell: ({ node }) => (node.state_bytes === null ? '' : bytes(node.state_bytes)) },
]

function Name({ node }: { readonly node: TopologyNode }): JSX.Element {
  const { kind, name, label } = node
  if (kind === 'operator') return <strong class="plan-label">{label}</strong>
  const address = kind === 'view' ? viewAddress(name) : topicAddress(name)
  return (
    <a class="table-link" href={address}>
      {name}
    </a>
  )
}
