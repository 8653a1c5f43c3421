import type { JSX } from 'preact'
import type { PageProps } from '../shell/routes.ts'

export function Page({ names }: PageProps): JSX.Element {
  return <h1>{names[0]}</h1>
}
