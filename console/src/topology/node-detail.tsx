import type { TopologyBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { useAsked } from '../ask/asked.ts'
import { CopyMenu } from '../design/copy-menu.tsx'
import { Trouble, Waiting } from '../design/empty.tsx'
import { setQuery, topicAddress, viewAddress } from '../shell/place.ts'
import { sampleSnippets } from '../snippets/telemetry.ts'
import { bytes, count, percent, short } from '../text/numbers.ts'
import { moment } from '../text/times.ts'
import { RowFacts } from '../why/row-facts.tsx'

type TopologyNode = TopologyBody['nodes'][number]

const everyMs = 3000

/** One part with all its figures, and the latest changes that left it. */
export function NodeDetail({ node }: { readonly node: TopologyNode }): JSX.Element {
  const panel = useRef<HTMLElement>(null)
  const close = (): void => {
    // Whoever is inside goes back to the part that was looked at.
    if (panel.current?.contains(document.activeElement)) {
      document.querySelector<HTMLElement>(`[data-node="${node.id}"]`)?.focus()
    }
    setQuery({ node: null })
  }
  // Before it is painted: whoever sees it may press Escape at once.
  useLayoutEffect(() => {
    const onKeyDown = ({ key, target }: KeyboardEvent): void => {
      if (key === 'Escape' && !(target instanceof Element && target.closest('dialog'))) close()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
  const { kind, name, label, detail, views, watermark_micros: watermark } = node
  const address = kind === 'view' ? viewAddress(name) : kind === 'topic' || kind === 'table' ? topicAddress(name) : null
  return (
    <aside class="node-detail-panel" ref={panel} aria-label={`About ${name === '' ? label : name}`} tabIndex={0}>
      <header class="spread">
        <h3 class="cut">{kind === 'operator' ? label : name}</h3>
        <button type="button" class="button plain" onClick={close}>
          Close <kbd>Esc</kbd>
        </button>
      </header>
      {detail !== '' && <p class="step-detail">{detail}</p>}
      {address !== null && (
        <p>
          <a class="link" href={address}>
            {`Open the ${kind}`}
          </a>
        </p>
      )}
      <dl class="facts num">
        <dt>Rows in</dt>
        <dd>{count(node.rows_in)}</dd>
        <dt>Rows out</dt>
        <dd>{`${count(node.rows_out)}, ${short(node.rows_per_second)}/s now`}</dd>
        <dt>Engine’s time</dt>
        <dd>{`${percent(node.busy_share)} of the last ten seconds`}</dd>
        {node.state_bytes !== null && (
          <>
            <dt>State</dt>
            <dd>
              {bytes(node.state_bytes)}
              {node.state_rows !== null && ` in ${count(node.state_rows)} entries`}
            </dd>
          </>
        )}
        {watermark !== null && (
          <>
            <dt>Watermark</dt>
            <dd>{moment(watermark)}</dd>
          </>
        )}
        {views.length > 0 && (
          <>
            <dt>Used by</dt>
            <dd>{views.join(', ')}</dd>
          </>
        )}
      </dl>
      {kind !== 'subscribers' && <Sample node={node} />}
    </aside>
  )
}

function Sample({ node }: { readonly node: TopologyNode }): JSX.Element {
  const { id } = node
  const asked = useAsked(`sample ${id}`, (server, signal) => server.sample(id, { signal }), everyMs)
  const { value, refusal } = asked.value
  if (value === null) {
    return refusal === null ? <Waiting what="Watching what leaves it" /> : <Trouble refusal={refusal} />
  }
  return (
    <>
      <div class="spread">
        <h3>Latest changes</h3>
        <CopyMenu of="the latest changes" snippets={sampleSnippets(node)} />
      </div>
      {value.changes.length === 0 ? (
        <p class="label">Nothing has left it lately.</p>
      ) : (
        <ul class="plain-list">
          {value.changes.toReversed().map(({ tick, row, weight }, i) => (
            <li key={i} class="plain-row sample">
              <span class={weight > 0 ? 'change-in num' : 'change-out num'} title={`tick ${tick}`}>
                {weight > 0 ? `+${weight}` : `−${-weight}`}
              </span>
              <RowFacts row={row} />
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
