// Builds dist/ from nothing: what is published is what the compiler made of src/ today, never a left-over file.
// It is built beside dist/ and then put in its place, so that whoever runs from dist/ meanwhile never sees half of it.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildConsole } from './build-console.ts'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const built = `dist.${process.pid}`
const old = `dist.${process.pid}.old`
process.on('exit', () => {
  for (const folder of [built, old]) rmSync(folder, { recursive: true, force: true })
})

const compiler = path.resolve('node_modules/typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', built], {
  stdio: 'inherit',
})
if (status !== 0) process.exit(status ?? 1)

await buildConsole(path.resolve(built, 'server/page'))
if (existsSync(`${built}/cli/main.js`)) chmodSync(`${built}/cli/main.js`, 0o755)

if (existsSync('dist')) renameSync('dist', old)
renameSync(built, 'dist')
