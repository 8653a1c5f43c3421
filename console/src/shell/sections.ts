/** The pages that stand in the sidebar, with the key that follows `g`. */
export interface Section {
  readonly title: string
  readonly address: string
  readonly key: string
}

export const sections: readonly Section[] = [
  { title: 'Overview', address: '/', key: 'o' },
  { title: 'Topology', address: '/topology', key: 't' },
  { title: 'Time', address: '/time', key: 'w' },
  { title: 'Events', address: '/events', key: 'e' },
  { title: 'Query', address: '/query', key: 'q' },
]
