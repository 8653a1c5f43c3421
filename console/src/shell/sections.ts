import { computed } from '@preact/signals'
import { charts } from '../ask/charts.ts'

/** The pages that stand in the sidebar, with the key that follows `g`. */
export interface Section {
  readonly title: string
  readonly address: string
  readonly key: string
}

const overview: Section = { title: 'Overview', address: '/', key: 'o' }
const dashboards: Section = { title: 'Dashboards', address: '/dashboards', key: 'd' }
const others: readonly Section[] = [
  { title: 'Topology', address: '/topology', key: 't' },
  { title: 'Time', address: '/time', key: 'w' },
  { title: 'Events', address: '/events', key: 'e' },
  { title: 'Query', address: '/query', key: 'q' },
]

/** Dashboards are among them once there is a chart to show. */
export const sections = computed<readonly Section[]>(() => [
  overview,
  ...(charts.value.length > 0 ? [dashboards] : []),
  ...others,
])
