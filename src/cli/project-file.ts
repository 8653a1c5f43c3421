import path from 'node:path'
import type { Disk } from '../io/io.ts'
import type { NewView, PlannedFile, Project } from '../server/project.ts'

/** The project of an app's file: a view goes to the end of a SQL app, and into a file of its own beside a module. */
export class ProjectFile implements Project {
  /** Set by who loads what is saved. */
  problem: unknown = null
  readonly #disk: Disk
  readonly #app: string

  constructor(disk: Disk, app: string) {
    this.#disk = disk
    this.#app = app
  }

  get file(): string {
    return path.basename(this.#app)
  }

  async plan(view: NewView): Promise<PlannedFile> {
    if (/\.sql$/i.test(this.#app)) {
      const text = `\n${view.statement}`
      return { file: this.file, text, write: () => append(this.#disk, this.#app, text) }
    }
    const file = `${view.name}.view.ts`
    const text = moduleText(view)
    const note = `add it to the app: import { ${view.name} } from './${file}', and ${view.name} to defineApp({ … })`
    const name = path.join(path.dirname(path.resolve(this.#app)), file)
    return { file, text, note, write: () => create(this.#disk, name, text) }
  }
}

function moduleText({ name, sql }: NewView): string {
  const escaped = sql.replace(/[\\`]|\$\{/g, '\\$&')
  return `import { sql, view } from 'millrace'\n\nexport const ${name} = view('${name}', sql\`\n${escaped}\n\`)\n`
}

async function append(disk: Disk, name: string, text: string): Promise<void> {
  const file = await disk.open(name)
  try {
    await file.write(new TextEncoder().encode(text), await file.size())
    await file.sync()
  } finally {
    await file.close()
  }
}

async function create(disk: Disk, name: string, text: string): Promise<void> {
  const file = await disk.open(name, { create: 'new' })
  try {
    await file.write(new TextEncoder().encode(text), 0)
    await file.sync()
  } finally {
    await file.close()
  }
}
