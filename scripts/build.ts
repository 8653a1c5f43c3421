// Builds dist/ from nothing: what is published is what the compiler made of src/ today, never a left-over file.
// It is built beside dist/ and then put in its place, so that whoever runs from dist/ meanwhile never sees half of it.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildConsole } from './build-console.ts'
import { bundle } from './bundle.ts'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const built = `dist.${process.pid}`
const old = `dist.${process.pid}.old`
process.on('exit', () => {
  for (const folder of [built, old]) rmSync(folder, { recursive: true, force: true })
})

const compiler = path.resolve('node_modules/typescript/bin/tsc')
// Types as they are published; and each module by itself, for what looks inside: benchmarks and tests.
const folders = ['--outDir', `${built}/modules`, '--declarationDir', built]
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', ...folders], {
  stdio: 'inherit',
})
if (status !== 0) process.exit(status ?? 1)

await bundle(built)

await buildConsole(path.resolve(built, 'server/page'))
chmodSync(`${built}/cli/main.js`, 0o755)

if (existsSync('dist')) renameSync('dist', old)
renameSync(built, 'dist')
