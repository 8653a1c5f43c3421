import type { StatusBody } from 'millrace/client'
import type { JSX } from 'preact'
import type { Tone } from '../design/badge.tsx'
import { Dot } from '../design/badge.tsx'
import { topicAddress, viewAddress } from '../shell/place.ts'

type Problem = StatusBody['verdict']['problems'][number]

const graver = new Set<Problem['code']>(['failed', 'poisoned', 'stuck'])

/** Is it right and fresh, and if not, why: one sentence, then each problem with what to do. */
export function Verdict({ status }: { readonly status: StatusBody }): JSX.Element {
  const { ok, message, problems } = status.verdict
  const tone: Tone = ok ? 'good' : problems.some(({ code }) => graver.has(code)) ? 'bad' : 'warn'
  const said = [...new Set(problems.map(({ code, view, topic }) => `${code} ${view ?? topic ?? ''}`))].join(', ')
  return (
    <section class="verdict" aria-label="Verdict">
      <p class="verdict-line">
        <Dot tone={tone} />
        {message}
      </p>
      {/* Figures in the message change all the time: what is read out is that something else is wrong. */}
      <span class="hidden-label" role="status">
        {ok ? 'All right' : said}
      </span>
      {problems.length > 0 && (
        <ul class="verdict-list">
          {problems.map((problem) => (
            <li key={`${problem.code} ${problem.view} ${problem.topic}`}>
              {problems.length > 1 && <span>{`${problem.message}. `}</span>}
              <Where problem={problem} />
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function Where({ problem: { view, topic, code, hint } }: { readonly problem: Problem }): JSX.Element {
  if (view !== undefined && code === 'error-rows') {
    return (
      <a class="link" href={`${viewAddress(view)}?tab=errors`}>
        Which rows, and which events they come from
      </a>
    )
  }
  const address = view !== undefined ? viewAddress(view) : topic !== undefined ? topicAddress(topic) : null
  return (
    <>
      <span class="quiet">{hint}</span>{' '}
      {address !== null && (
        <a class="link" href={address}>
          {view ?? topic}
        </a>
      )}
    </>
  )
}
