import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { metricCatalogue } from '../../src/server/metric-catalogue.ts'
import { startRunning } from '../support/running-server.ts'

const page = readFileSync(new URL('../../docs/METRICS.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `millrace_(\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \| (.*) \|$/gm)]

it('docs/METRICS.md says of each metric what the catalogue says', () => {
  const own = rows.filter(([, name]) => !name.startsWith('http_'))
  expect(own.map(([, name, kind, unit, labels, help]) => `${name} ${kind} ${unit} ${labels} ${help}`)).toEqual(
    metricCatalogue.map(
      ({ name, kind, unit, labels, help }) =>
        `${name} ${kind} ${unit} ${labels.map((label) => `\`${label}\``).join(', ')} ${help}`,
    ),
  )
  for (const { name, kind, unit } of metricCatalogue) {
    expect(name.endsWith('_total')).toBe(kind === 'counter')
    if (unit === 'seconds' || unit === 'bytes') expect(name).toContain(unit)
  }
})

it('every metric that a server shows is in docs/METRICS.md', async () => {
  const running = await startRunning()
  try {
    const text = await (await fetch(`${running.url}/metrics`)).text()
    const shown = [...text.matchAll(/^# TYPE millrace_(\w+) /gm)].map(([, name]) => name)
    expect(shown.length).toBeGreaterThan(30)
    expect([...shown].sort()).toEqual(rows.map(([, name]) => name).sort())
  } finally {
    await running.stop()
  }
})
