import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

// What docs/TYPESCRIPT.md shows is part of an example that is compiled and run, and what it says of the compiler is so.
const root = fileURLToPath(new URL('../../', import.meta.url))
const guide = readFileSync(path.join(root, 'docs/TYPESCRIPT.md'), 'utf8')
const example = ['app.ts', 'main.ts'].map((name) => readFileSync(path.join(root, 'examples/shop', name), 'utf8'))

function blocks(language: string): string[] {
  return [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1])
}

/** @returns what was printed, whatever the end was */
function run(args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, encoding: 'utf8' }, (error, out) =>
      resolve(error === null ? out : `${out}${error.message}`),
    )
  })
}

describe('docs/TYPESCRIPT.md', () => {
  it.each(blocks('ts'))('shows what stands in the example: %s', (block) => {
    expect(example.some((text) => text.includes(block))).toBe(true)
  })

  it('says what the example prints', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-shop-'))
    try {
      const printed = await run(
        ['--import', import.meta.resolve('tsx'), path.join(root, 'examples/shop/main.ts')],
        folder,
      )
      const flat = printed.replace(/\s+/g, ' ')
      const said = example.flatMap((text) =>
        [...text.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1]),
      )
      expect(said).toHaveLength(4)
      for (const line of said) expect(flat).toContain(line)
      expect(printed.trimEnd().endsWith(blocks('sql')[0].trimEnd())).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('says what the compiler says', async () => {
    const rows = [...guide.matchAll(/^\| `(.*)` \| ([^|]+) \|$/gm)].filter(([, , said]) => said !== ' ')
    const mistakes = rows.filter(([, code]) => /orders|db\./.test(code) && code.includes('('))
    expect(mistakes).toHaveLength(9)
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-mistakes-'))
    try {
      mkdirSync(path.join(folder, 'node_modules'))
      symlinkSync(root, path.join(folder, 'node_modules/millrace'))
      symlinkSync(path.join(root, 'node_modules/zod'), path.join(folder, 'node_modules/zod'))
      const head = `import { add, count, eq, from, gt, sum, type DatabaseShape } from 'millrace'
import app, { orders } from './app.ts'
declare const db: DatabaseShape<typeof app>
`
      writeFileSync(path.join(folder, 'app.ts'), example[0].replace("'../../src/index.ts'", "'millrace'"))
      writeFileSync(path.join(folder, 'mistakes.ts'), head + mistakes.map(([, code]) => `${code}\n`).join(''))
      const compilerOptions = {
        target: 'es2022',
        module: 'nodenext',
        lib: ['es2022', 'dom', 'esnext.disposable'],
        types: [],
      }
      const options = {
        ...compilerOptions,
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        allowImportingTsExtensions: true,
      }
      writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
      writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }))
      const printed = await run(
        [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'],
        folder,
      )
      const errors = printed.split(/^(?=\S+\.ts\()/m).filter((error) => error.startsWith('mistakes.ts'))
      mistakes.forEach(([, code, said], i) => {
        const line = 4 + i
        const own = errors.filter((error) => error.startsWith(`mistakes.ts(${line},`))
        expect(own.join(''), code).toContain(said.trim())
      })
      expect(printed).not.toContain('\napp.ts(')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
