// Rooms, banned calls, names, dead files and the ratchet on length: what neither compiler nor linter knows.
import { fileURLToPath } from 'node:url'
import { check } from './tidy/check.ts'
import { print } from './tidy/finding.ts'
import { readRatchet, readTree } from './tidy/tree.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const findings = check(readTree(root), readRatchet(root))
for (const finding of findings) console.log(print(finding))
console.error(findings.length === 0 ? 'tidy: nothing to say' : `tidy: ${findings.length} findings`)
process.exitCode = findings.length === 0 ? 0 : 1
