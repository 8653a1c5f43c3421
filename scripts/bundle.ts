// Puts src/'s hundreds of modules into few files: loading them one by one took most of a command's time. Only our own
// modules: dependencies stay what the package's users install, with their own licences and updates.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type OutputChunk, rolldown } from 'rolldown'
import { entries } from './tidy/rooms.ts'

/** Threads, which io/ starts by their files' places. */
const threads = ['src/engine/worker.ts', 'src/state/snapshots/keeper-worker.ts']

/** What entries share, and what is loaded late. One folder deep, as the modules are that look for files beside them. */
const chunks = 'chunks'

/**
 * Each entry at its module's path, so that package.json and threads find it, and the rest in chunks/.
 * @throws Error where a module that asks for files beside itself would look in another place than from src/
 */
export async function bundle(folder: string): Promise<void> {
  const build = await rolldown({
    input: Object.fromEntries([...entries, ...threads].map((file) => [file.slice('src/'.length, -'.ts'.length), file])),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
    transform: { target: 'es2022' },
  })
  try {
    const { output } = await build.write({
      dir: folder,
      format: 'esm',
      entryFileNames: '[name].js',
      // Of two versions, one of which takes the other's place while that runs, no file is half of each.
      chunkFileNames: `${chunks}/[name]-[hash].js`,
      sourcemap: true,
    })
    for (const file of output) if (file.type === 'chunk') checkPlaces(file)
  } finally {
    await build.close()
  }
}

function checkPlaces({ fileName, moduleIds }: OutputChunk): void {
  if (fileName.split('/').length === 2) return
  for (const module of moduleIds) {
    if (!readFileSync(module, 'utf8').includes('import.meta.url')) continue
    throw new Error(`${module} asks for its place, but lies in dist/${fileName}: it must be one folder deep`)
  }
}
