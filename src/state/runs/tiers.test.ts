import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { RunFile } from './run-format.ts'
import { runsToMerge } from './tiers.ts'

const run = (bytes: number): RunFile => ({ name: `${bytes}`, bytes, crc: 0, arrangements: ['a'] })

/** What becomes of runs of these sizes, written one after the other and merged whenever that is due. */
function after(sizes: readonly number[]): { readonly files: readonly RunFile[]; readonly rewritten: number } {
  let files: readonly RunFile[] = []
  let rewritten = 0
  for (const size of sizes) {
    files = [run(size), ...files]
    for (let due = runsToMerge(files); due !== null; due = runsToMerge(files)) {
      const bytes = files.slice(due.from, due.to).reduce((sum, file) => sum + file.bytes, 0)
      rewritten += bytes
      files = [...files.slice(0, due.from), run(bytes), ...files.slice(due.to)]
    }
  }
  return { files, rewritten }
}

it('few runs stay, and a byte is rewritten a logarithm of times', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constant(500)), {
    minLength: 1,
    maxLength: 600,
  })
  fc.assert(
    fc.property(sizes, (list) => {
      const total = list.reduce((sum, size) => sum + size, 0)
      const { files, rewritten } = after(list)
      expect(files.length).toBeLessThanOrEqual(4 + 1.3 * Math.log2(total))
      expect(rewritten / total).toBeLessThanOrEqual(1 + 1.3 * Math.log2(1 + list.length))
    }),
  )
})

it('a large run is left alone until what is newer is about as much', () => {
  expect(runsToMerge([run(1), run(1), run(1), run(100)])).toBeNull()
  expect(runsToMerge([run(1), run(1), run(1), run(1), run(100)])).toEqual({ from: 0, to: 4 })
  expect(runsToMerge([run(30), run(30), run(30), run(100)])).toEqual({ from: 0, to: 4 })
  expect(runsToMerge([run(30), run(70)])).toBeNull()
})
