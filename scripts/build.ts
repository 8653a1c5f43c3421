// Builds dist/ from nothing: what is published is what the compiler made of src/ today, never a left-over file.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)

rmSync('dist', { recursive: true, force: true })

const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

// The page's files are served as they are, so the compiler does not carry them over.
if (existsSync('src/server/page')) {
  cpSync('src/server/page', 'dist/server/page', { recursive: true, filter: path => !path.endsWith('.ts') })
}
if (existsSync('dist/cli/main.js')) chmodSync('dist/cli/main.js', 0o755)
