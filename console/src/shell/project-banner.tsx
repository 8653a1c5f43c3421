import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import { appFile } from '../ask/project.ts'

const everyMs = 1500

/** While an app is being developed: why what was saved last doesn't run, and what to do. */
export function ProjectBanner(): JSX.Element | null {
  const asked = useAsked('project', (server, signal) => server.relations.project({ signal }))
  const file = asked.value.value?.file ?? null
  useEffect(() => {
    appFile.value = file
  }, [file])
  return file === null ? null : <Watched />
}

function Watched(): JSX.Element | null {
  const asked = useAsked('project again', (server, signal) => server.relations.project({ signal }), everyMs)
  const { value } = asked.value
  if (value === null || value.problem === null) return null
  const { detail, hint, line, column, source, code } = value.problem
  return (
    <section class="project-banner" role="alert" aria-label="The app that was saved">
      <p>
        <strong>{`What was saved in ${value.file} does not run; what ran before goes on. `}</strong>
        {detail}
        {line !== undefined && (
          <span class="quiet num">{` (line ${line}${column === undefined ? '' : `, column ${column}`})`}</span>
        )}
      </p>
      {source !== undefined && (
        <pre class="mono">
          {source}
          {column !== undefined && `\n${' '.repeat(Math.max(0, column - 1))}^`}
        </pre>
      )}
      {hint !== undefined && <p class="project-hint">{hint}</p>}
      <p class="label mono">{code}</p>
    </section>
  )
}
