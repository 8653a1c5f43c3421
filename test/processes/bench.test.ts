import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The benchmark over a few events, without its peers: what it prints, and how it ended. */
function smoke(...parts: string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...parts, '--smoke'], { cwd: root })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (piece: string) => {
        text += piece
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
  })
}

it('the benchmark still runs', async () => {
  const { code, text } = await smoke('nexmark', 'restart', '--only', 'q5')
  expect(code, text).toBe(0)
  expect(text).toMatch(/\| q5 +\| +[\d.]+ [kM]/)
  expect(text).toContain('from a snapshot, after a kill')
})

it('and so does its steady load', async () => {
  const { code, text } = await smoke('steady')
  expect(code, text).toBe(0)
  expect(text).toMatch(/append → visible +\| +[\d.]+ +\| +[\d.]+ ms/)
})
