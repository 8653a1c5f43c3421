/** What is defined, and how much there is of it: known to every page. */
import { computed, effect, signal } from '@preact/signals'
import type { CatalogBody } from 'millrace/client'
import { type Asked, poll } from './asked.ts'
import { server } from './server.ts'

export type TopicInfo = CatalogBody['topics'][number]
export type ViewInfo = CatalogBody['views'][number]
export type ColumnInfo = ViewInfo['columns'][number]

const everyMs = 2000

export const catalog = signal<Asked<CatalogBody>>({ value: null, refusal: null, waiting: true })

export const topics = computed<readonly TopicInfo[]>(() => catalog.value.value?.topics ?? [])
export const views = computed<readonly ViewInfo[]>(() => catalog.value.value?.views ?? [])

/** Begins to ask; a new token asks anew. */
export function watchCatalog(): () => void {
  return effect(() => {
    void server.value
    return poll(catalog, (asked, stop) => asked.relations.catalog({ signal: stop }), everyMs)
  })
}

export function viewNamed(name: string): ViewInfo | undefined {
  return views.value.find((view) => view.name === name)
}

export function topicNamed(name: string): TopicInfo | undefined {
  return topics.value.find((topic) => topic.name === name)
}
