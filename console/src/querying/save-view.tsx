import type { DiffBody, SavedViewBody } from 'millrace/client'
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Refusal, refusalOf } from '../ask/refusal.ts'
import { server } from '../ask/server.ts'
import { CodeBlock } from '../design/code-block.tsx'
import { Trouble } from '../design/empty.tsx'
import { go, viewAddress } from '../shell/place.ts'
import { plural } from '../text/numbers.ts'

interface Preview {
  readonly planned: SavedViewBody
  readonly diff: DiffBody
}

interface SaveViewProps {
  readonly sql: string
  readonly onClose: () => void
}

const waitMs = 400
const longestWaitMs = 20_000

/** Keeps a query as a view of the project: first what would change, then the file. */
export function SaveView({ sql, onClose }: SaveViewProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const [name, setName] = useState('')
  const [preview, setPreview] = useState<Preview | null>(null)
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [busy, setBusy] = useState<string | null>(null)
  useEffect(() => dialog.current?.showModal(), [])

  const doing = async (what: string, work: () => Promise<void>): Promise<void> => {
    setBusy(what)
    setRefusal(null)
    try {
      await work()
    } catch (error) {
      setRefusal(refusalOf(error))
    } finally {
      setBusy(null)
    }
  }
  const look = (): Promise<void> =>
    doing('Building the view beside the others …', async () => {
      const { relations } = server.value
      const planned = await relations.saveView(name, sql, false)
      setPreview({ planned, diff: await relations.diff(planned.definition, 5) })
    })
  const save = (): Promise<void> =>
    doing('Writing, and waiting for the server to take it over …', async () => {
      const { note } = await server.value.relations.saveView(name, sql, true)
      if (note === undefined && (await appeared(name))) {
        dialog.current?.close()
        go(viewAddress(name))
      } else onClose()
    })

  return (
    <dialog class="save-view" ref={dialog} aria-label="Save as a view" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void (preview === null ? look() : save())
        }}
      >
        <h2>Save as a view</h2>
        <label class="form-field" for="view-name">
          Name
          <input
            id="view-name"
            class="field"
            type="text"
            required
            pattern="[A-Za-z_][A-Za-z0-9_]*"
            placeholder="orders_by_day"
            autocomplete="off"
            spellcheck={false}
            value={name}
            onInput={(event) => {
              setName(event.currentTarget.value)
              setPreview(null)
            }}
          />
        </label>
        {preview !== null && <Changes preview={preview} />}
        {refusal !== null && <Trouble refusal={refusal} />}
        <div class="line">
          <button type="submit" class="button primary" disabled={busy !== null || name === ''}>
            {preview === null ? 'Show what would change' : `Write ${preview.planned.file}`}
          </button>
          <button type="button" class="button plain" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <span class="label" role="status">
            {busy ?? ''}
          </span>
        </div>
      </form>
    </dialog>
  )
}

function Changes({ preview: { planned, diff } }: { readonly preview: Preview }): JSX.Element {
  return (
    <>
      <ul class="plain-list">
        {diff.views
          .filter(({ kind }) => kind !== 'same')
          .map(({ view, kind, rows }) => (
            <li key={view} class="plain-row">
              <strong>{view}</strong>
              {` ${kind}`}
              {rows.after !== null && <span class="quiet">{`, with ${plural(rows.after, 'row')}`}</span>}
            </li>
          ))}
        <li class="plain-row quiet">All other views stay as they are.</li>
      </ul>
      <CodeBlock title={`Added to ${planned.file}`} code={planned.text.trim()} />
      {planned.note !== undefined && <p class="label">{`Then ${planned.note}`}</p>}
    </>
  )
}

/** The server takes a saved app over by itself: the view is there once it has. */
async function appeared(name: string): Promise<boolean> {
  const end = performance.now() + longestWaitMs
  while (performance.now() < end) {
    const { views } = await server.value.relations.catalog()
    if (views.some((view) => view.name === name)) return true
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
  return false
}
