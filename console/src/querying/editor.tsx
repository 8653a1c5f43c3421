import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { topics, views } from '../ask/catalog.ts'
import type { SqlEditor } from './sql-editor.ts'

/** Text put into the editor from outside; what is typed there is its own, and only told. */
export interface Given {
  readonly text: string
  /** Another one for each time that text is put in. */
  readonly serial: number
}

interface EditorProps {
  readonly given: Given
  readonly onChange: (text: string) => void
  readonly onRun: () => void
}

/** A field for SQL that knows the relations and their columns. The editor itself is loaded when it is needed. */
export function Editor({ given, onChange, onRun }: EditorProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null)
  const editor = useRef<SqlEditor | null>(null)
  const told = useRef({ given, onChange, onRun })
  told.current = { given, onChange, onRun }
  useEffect(() => {
    let gone = false
    void import('./sql-editor.ts').then(({ openEditor }) => {
      if (gone) return
      editor.current = openEditor(host.current!, told.current.given.text, {
        changed: (text) => told.current.onChange(text),
        run: () => told.current.onRun(),
      })
      editor.current.complete(relations())
    })
    return () => {
      gone = true
      editor.current?.close()
      editor.current = null
    }
  }, [])
  const names = relations()
  const signature = JSON.stringify(names)
  useEffect(() => editor.current?.complete(names), [signature])
  useEffect(() => editor.current?.replace(given.text), [given.serial])
  return <div ref={host} class="sql-editor" />
}

/** Columns by relation. */
function relations(): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    [...views.value, ...topics.value].map(({ name, columns }) => [name, columns.map((column) => column.name)]),
  )
}
