import path from 'node:path'
import type { Disk } from '../io/io.ts'
import type { NewView, PlannedFile, Project } from '../server/project.ts'

/** The project of an app's file: a view goes to the end of a SQL app, and into a file of its own beside a module. */
export function projectOf(disk: Disk, app: string): Project {
  const folder = path.dirname(path.resolve(app))
  return {
    async plan(view): Promise<PlannedFile> {
      if (/\.sql$/i.test(app)) {
        const text = `\n${view.statement}`
        return { file: path.basename(app), text, write: () => append(disk, app, text) }
      }
      const file = `${view.name}.view.ts`
      const text = moduleText(view)
      const note = `add it to the app: import { ${view.name} } from './${file}', and ${view.name} to defineApp({ … })`
      return { file, text, note, write: () => create(disk, path.join(folder, file), text) }
    },
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
