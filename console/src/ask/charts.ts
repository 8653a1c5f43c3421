/** What the app wants drawn: known to the sidebar and to the dashboards. */
import { computed, effect, signal } from '@preact/signals'
import type { ChartBody, ChartsBody } from 'millrace/client'
import { type Asked, poll } from './asked.ts'
import { server } from './server.ts'

export type ChartInfo = ChartBody

/** They change only when an app is saved. */
const everyMs = 5000

export const declared = signal<Asked<ChartsBody>>({ value: null, refusal: null, waiting: true })

export const charts = computed<readonly ChartInfo[]>(() => declared.value.value?.charts ?? [])
/** Names of dashboards, in the order in which the app comes to them. */
export const dashboards = computed<readonly string[]>(() => [
  ...new Set(charts.value.map(({ dashboard }) => dashboard)),
])

/** Begins to ask; a new token asks anew. */
export function watchCharts(): () => void {
  return effect(() => {
    void server.value
    return poll(declared, (asked, stop) => asked.charts({ signal: stop }), everyMs)
  })
}
