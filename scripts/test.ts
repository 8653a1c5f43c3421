// Runs vitest and ends with one line that a machine can read: `N passed, N failed[, N skipped]`.
// Arguments are vitest's own: name parts of test files, `-t pattern`, `--coverage`, …
import { parseCLI, startVitest } from 'vitest/node'

console.error(`Node ${process.version}`)
const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)])
const vitest = await startVitest('test', filter, { ...options, watch: false, run: true })

let passed = 0
let failed = 0
let skipped = 0
for (const module of vitest.state.getTestModules()) {
  let failedHere = 0
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    if (state === 'passed') passed++
    else if (state === 'failed') failedHere++
    else skipped++
  }
  // A file that does not load, or a hook that throws, fails without any failed test of its own.
  if (module.state() === 'failed' && failedHere === 0) failedHere = 1
  failed += failedHere
}
failed += vitest.state.getUnhandledErrors().length > 0 && failed === 0 ? 1 : 0
await vitest.close()

if (passed + failed === 0) console.error('No test ran: that counts as a failure.')
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exit(failed > 0 || passed === 0 || process.exitCode ? 1 : 0)
