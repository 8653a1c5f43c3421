// The benchmark's peers (DuckDB and others) are heavy, so they live in bench/'s own package and are installed on first use.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

function npm(...args: string[]): void {
  const { status } = spawnSync('npm', ['--prefix', 'bench', ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (!existsSync('bench/node_modules')) npm(existsSync('bench/package-lock.json') ? 'ci' : 'install')
// What is measured is what users run: the built package.
const built = spawnSync('npm', ['run', 'build', '--silent'], { stdio: 'inherit' })
if (built.status !== 0) process.exit(built.status ?? 1)
npm('run', 'bench', '--silent', '--', ...process.argv.slice(2))
