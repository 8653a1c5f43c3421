import type { JSX } from 'preact'
import { charts, dashboards, declared } from '../ask/charts.ts'
import { ChartCard } from '../dashboard/chart-card.tsx'
import { CodeBlock } from '../design/code-block.tsx'
import { CopyAs } from '../design/copy-as.tsx'
import { Empty, Trouble, Waiting } from '../design/empty.tsx'
import { PageHead } from '../shell/page-head.tsx'
import { dashboardAddress } from '../shell/place.ts'
import type { PageProps } from '../shell/routes.ts'
import { chartsSnippets } from '../snippets/telemetry.ts'
import { plural } from '../text/numbers.ts'
import '../dashboard/dashboard.css'

const example = `import { chart, defineApp } from 'millrace'

export const revenueChart = chart(revenue, {
  x: 'minute',
  y: 'revenue',
  mark: 'line',
  title: 'Revenue per minute',
})

export default defineApp({ orders, revenue, revenueChart })
`

/** The charts that the app declares: those of the dashboard that the address names, or of the first one. */
export function Page({ names: [named] }: PageProps): JSX.Element {
  const { value, refusal } = declared.value
  const name = named ?? dashboards.value[0]
  const shown = charts.value.filter(({ dashboard }) => dashboard === name)
  const several = dashboards.value.length > 1
  return (
    <div class="page">
      <PageHead
        title={several || named !== undefined ? name : 'Dashboard'}
        {...(shown.length === 0 ? {} : { note: plural(shown.length, 'chart') })}
        actions={<CopyAs snippets={chartsSnippets()} />}
      />
      {several && <Names chosen={name} />}
      {shown.length > 0 ? (
        <div class="dashboard">
          {shown.map((chart) => (
            <ChartCard key={chart.name} chart={chart} />
          ))}
        </div>
      ) : value === null ? (
        refusal === null ? (
          <Waiting what="Asking what is drawn" />
        ) : (
          <Trouble refusal={refusal} />
        )
      ) : named === undefined || charts.value.length === 0 ? (
        <Undeclared />
      ) : (
        <Empty title={`There is no dashboard ${named}`}>
          <p>
            A chart says where it stands: <code>dashboard: '{named}'</code>.
          </p>
        </Empty>
      )}
    </div>
  )
}

function Names({ chosen }: { readonly chosen: string }): JSX.Element {
  return (
    <nav aria-label="Dashboards">
      <ul class="dashboard-names">
        {dashboards.value.map((name) => (
          <li key={name}>
            <a href={dashboardAddress(name)} aria-current={name === chosen ? 'page' : undefined}>
              {name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  )
}

function Undeclared(): JSX.Element {
  return (
    <Empty title="The app declares no charts that you may see">
      <p>An app in TypeScript says what is to be drawn; it shows here as soon as it is saved.</p>
      <CodeBlock title="millrace.ts" code={example} />
    </Empty>
  )
}
