#!/usr/bin/env node
// `npm create millrace my-app` is `millrace init my-app`, of the version that this package has.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const args = ['--yes', `millrace@${version}`, 'init', ...process.argv.slice(2)]
// Windows starts scripts only by way of its shell, which would read the arguments again.
const child = spawn('npx', args, { stdio: 'inherit', shell: process.platform === 'win32' })
child.on('error', (error) => {
  console.error(`npx cannot be started: ${error.message}`)
  process.exitCode = 1
})
child.on('exit', (code) => {
  process.exitCode = code ?? 1
})
