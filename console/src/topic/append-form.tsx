import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ColumnInfo, TopicInfo } from '../ask/catalog.ts'
import { type Refusal, refusalOf } from '../ask/refusal.ts'
import { server } from '../ask/server.ts'
import { Trouble } from '../design/empty.tsx'
import { eventAddress } from '../shell/place.ts'
import { count } from '../text/numbers.ts'
import { eventOf, exampleOf, fieldKind, nowText } from './form-value.ts'

interface Receipt {
  readonly offset: number | null
  readonly tick: number
}

/** One event, filled in by hand: a field per column, and what is wrong at the field that it is wrong with. */
export function AppendForm({ topic }: { readonly topic: TopicInfo }): JSX.Element {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>({})
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({})
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [receipt, setReceipt] = useState<Receipt | null>(null)
  const [busy, setBusy] = useState(false)
  const isTable = topic.kind === 'table'

  const send = async (deleted: boolean): Promise<void> => {
    const columns = deleted ? topic.columns.filter(({ name }) => topic.primary_key.includes(name)) : topic.columns
    const made = eventOf(columns, typed)
    setErrors(made.errors)
    setReceipt(null)
    setRefusal(null)
    if (Object.keys(made.errors).length > 0) return
    setBusy(true)
    try {
      const { relations } = server.value
      if (deleted) setReceipt({ offset: null, tick: (await relations.delete(topic.name, [made.event])).tick })
      else {
        const { tick, first_offset: offset } = await relations.append(topic.name, [made.event])
        setReceipt({ offset, tick })
      }
    } catch (error) {
      const refused = refusalOf(error)
      const atFields = fieldErrors(refused, topic.columns)
      setErrors(atFields)
      if (Object.keys(atFields).length === 0) setRefusal(refused)
    } finally {
      setBusy(false)
    }
  }

  return (
    <form
      class="append-form"
      aria-label={`Append to ${topic.name}`}
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        void send(false)
      }}
    >
      {topic.columns.map((column) => (
        <Field
          key={column.name}
          column={column}
          isKey={topic.primary_key.includes(column.name)}
          isTime={topic.event_time === column.name}
          value={typed[column.name] ?? ''}
          error={errors[column.name]}
          onChange={(value) => setTyped({ ...typed, [column.name]: value })}
        />
      ))}
      <div class="append-actions line">
        <button type="submit" class="button primary" disabled={busy}>
          {isTable ? 'Upsert' : 'Append'}
        </button>
        {isTable && (
          <button type="button" class="button" disabled={busy} onClick={() => send(true)}>
            Delete by key
          </button>
        )}
        <span role="status">
          {receipt !== null && (
            <>
              <span class="num">{`Durable; visible at tick ${count(receipt.tick)}. `}</span>
              {receipt.offset !== null && (
                <a class="link" href={eventAddress(topic.name, receipt.offset)}>
                  What it did
                </a>
              )}
            </>
          )}
        </span>
      </div>
      {refusal !== null && <Trouble refusal={refusal} />}
    </form>
  )
}

/** Pointers such as `/0/price` name the field. */
function fieldErrors({ errors }: Refusal, columns: readonly ColumnInfo[]): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const { pointer, detail } of errors) {
    const name = pointer.split('/')[2]?.replaceAll('~1', '/').replaceAll('~0', '~')
    if (name !== undefined && columns.some((column) => column.name === name)) found[name] = detail
  }
  return found
}

interface FieldProps {
  readonly column: ColumnInfo
  readonly isKey: boolean
  readonly isTime: boolean
  readonly value: string
  readonly error: string | undefined
  readonly onChange: (value: string) => void
}

function Field({ column: { name, type, nullable }, isKey, isTime, value, error, onChange }: FieldProps): JSX.Element {
  const kind = fieldKind(type)
  const id = `field-${name}`
  const about = [type, isKey ? 'key' : '', isTime ? 'event time' : '', nullable ? 'may be left empty' : '']
  const attributes = {
    id,
    value,
    'aria-invalid': error !== undefined,
    'aria-describedby': `${id}-note`,
    onInput: (event: { readonly currentTarget: { readonly value: string } }) => onChange(event.currentTarget.value),
  }
  return (
    <div class="form-field">
      <label for={id}>{name}</label>
      <div class="line">
        {kind === 'boolean' ? (
          <select class="field" {...attributes}>
            <option value="">{nullable ? 'null' : 'choose'}</option>
            <option value="true">true</option>
            <option value="false">false</option>
          </select>
        ) : kind === 'json' ? (
          <textarea class="field mono" rows={3} spellcheck={false} placeholder={exampleOf(type)} {...attributes} />
        ) : (
          <input
            class="field"
            type="text"
            inputMode={kind === 'number' ? 'decimal' : 'text'}
            autocomplete="off"
            spellcheck={false}
            placeholder={exampleOf(type)}
            {...attributes}
          />
        )}
        {kind === 'time' && (
          <button type="button" class="button plain" onClick={() => onChange(nowText(type))}>
            Now
          </button>
        )}
      </div>
      <p id={`${id}-note`} class={error === undefined ? 'label' : 'field-error'}>
        {error ?? about.filter((text) => text !== '').join(' · ')}
      </p>
    </div>
  )
}
