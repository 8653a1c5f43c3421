import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { check, type Ratchet } from '../scripts/tidy/check.ts'
import { print } from '../scripts/tidy/finding.ts'
import { order } from '../scripts/tidy/rooms.ts'
import { importsOf, scan } from '../scripts/tidy/scan.ts'
import { readRatchet, readTree } from '../scripts/tidy/tree.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

test('src/ keeps its rooms and rules', () => {
  expect(check(readTree(root), readRatchet(root)).map(print)).toEqual([])
})

/** What is found in a tree of planted files; `user.ts` keeps them alive. */
function found(files: Record<string, string>, ratchet: Ratchet = {}): string[] {
  const texts = new Map(Object.entries(files))
  const users = Object.keys(files).map((path) => `import '../${path}'`)
  texts.set('test/user.ts', users.join('\n'))
  return check(texts, ratchet).map(({ file, line, what }) => `${file}:${line} ${what}`)
}

const empty = 'export {}\n'

describe('rooms', () => {
  test('a room imports the rooms above it', () => {
    expect(
      found({
        'src/data/value.ts': empty,
        'src/plan/bind.ts': `import { a } from '../data/value.ts'\nimport type { B } from './plan.ts'\nexport const c = a\n`,
        'src/plan/plan.ts': empty,
      }),
    ).toEqual([])
  })

  test.each([
    ["import { b } from '../plan/plan.ts'", 'data imports plan: plan lies below data'],
    ["import type { B } from '../plan/plan.ts'", 'data imports plan: plan lies below data'],
    ["export { b } from '../plan/plan.ts'", 'data imports plan: plan lies below data'],
    ["export type { B } from '../plan/plan.ts'", 'data imports plan: plan lies below data'],
    ["import '../plan/plan.ts'", 'data imports plan: plan lies below data'],
    ["type B = import('../plan/plan.ts').B", 'data imports plan: plan lies below data'],
    ["const b = () => import('../plan/plan.ts')", 'data imports plan: plan lies below data'],
    ["import b, {\n  type C,\n  d as e,\n} from '../plan/plan.ts'", 'data imports plan: plan lies below data'],
    ["import * as b from '../plan/plan.ts'", 'data imports plan: plan lies below data'],
    ["import { b } from '../database.ts'", 'data imports database: database lies below data'],
    ["import { b } from '../plan/plan.js'", "imports '../plan/plan.js' without .ts"],
    ["import { b } from '../plan'", "imports '../plan' without .ts"],
    ["import { b } from './gone.ts'", 'imports src/data/gone.ts, which does not exist'],
    ["import { b } from '../../test/user.ts'", 'imports test/user.ts from outside src/'],
    ["import { b } from './value.test.ts'", 'imports the test file src/data/value.test.ts'],
  ])('%s', (line, what) => {
    const files = {
      'src/data/value.ts': `export const a = 1\n${line}\n`,
      'src/data/value.test.ts': empty,
      'src/plan/plan.ts': empty,
      'src/database.ts': empty,
    }
    expect(found(files)).toEqual([`src/data/value.ts:2 ${what}`])
  })

  test('siblings never import each other, in either direction', () => {
    const files = {
      'src/log/log.ts': "import type { A } from '../state/arrangement.ts'\nexport const a: A = 1\n",
      'src/state/arrangement.ts': "import type { L } from '../log/log.ts'\nexport type A = L\n",
    }
    expect(found(files)).toEqual([
      'src/log/log.ts:1 log imports state: siblings never import each other',
      'src/state/arrangement.ts:1 state imports log: siblings never import each other',
    ])
  })

  test('the client sees app and protocol only, and loads nothing of Node', () => {
    const files = {
      'src/client/client.ts': [
        "import { a } from '../app/app.ts'",
        "import type { D } from '../data/value.ts'",
        'export const b: D = a',
      ].join('\n'),
      'src/app/app.ts':
        "import { c } from '../data/value.ts'\nimport type { Z } from 'node:util'\nexport const a: Z = c\n",
      'src/data/value.ts': "import { inspect } from 'node:util'\nexport const c = inspect\n",
    }
    expect(found(files)).toEqual([
      'src/client/client.ts:2 client imports data',
      "src/data/value.ts:1 imports 'node:util', but the browser's client loads this file",
    ])
  })

  test('connectors do not import each other', () => {
    const files = {
      'src/connectors/source.ts': empty,
      'src/connectors/files/csv.ts': "import '../source.ts'\nimport '../kafka/wire.ts'\nexport const a = 1\n",
      'src/connectors/kafka/wire.ts': empty,
    }
    expect(found(files)).toEqual(['src/connectors/files/csv.ts:2 connector files imports connector kafka'])
  })

  test('a file outside every room', () => {
    expect(found({ 'src/stuff/a.ts': empty })).toEqual(['src/stuff/a.ts:1 is in no room'])
  })

  test("only io/ imports Node's modules, and each package has its home", () => {
    const line =
      "import { a } from 'node:fs'\nimport f from 'prom-client'\nimport { parse } from 'libpg-query'\nexport const b = [a, f, parse]\n"
    expect(found({ 'src/io/node.ts': line, 'src/sql/parse.ts': line, 'src/server/listen.ts': line })).toEqual([
      "src/io/node.ts:2 imports 'prom-client'",
      "src/io/node.ts:3 imports 'libpg-query'",
      'src/server/listen.ts:1 imports node:fs outside io/',
      "src/server/listen.ts:3 imports 'libpg-query'",
      'src/sql/parse.ts:1 imports node:fs outside io/',
      "src/sql/parse.ts:2 imports 'prom-client'",
    ])
    expect(found({ 'src/io/node.ts': "import fs from 'fs'\nexport const a = fs\n" })).toEqual([
      "src/io/node.ts:1 imports 'fs', which no room owns",
    ])
  })

  test('the order names every room once', () => {
    expect(new Set(order.flat()).size).toBe(order.flat().length)
  })
})

describe('the console', () => {
  const page = (line: string): string[] => found({ 'console/src/page.tsx': line, 'src/client/client.ts': empty })

  test('sees a server through the public client alone', () => {
    expect(page("import { createInspector } from 'millrace/client'\nimport { render } from 'preact'")).toEqual([])
    expect(page("import './page.css'\nconst page = () => import('./page.tsx')")).toEqual([])
    expect(page("import { a } from '../../src/client/client.ts'")).toEqual([
      'console/src/page.tsx:1 imports src/client/client.ts from outside the console',
    ])
    expect(page("import type { A } from 'millrace'")).toEqual(["console/src/page.tsx:1 imports 'millrace'"])
    expect(page("import react from 'react'")).toEqual(["console/src/page.tsx:1 imports 'react'"])
    expect(page("import './gone.tsx'")).toEqual([
      'console/src/page.tsx:1 imports console/src/gone.tsx, which does not exist',
    ])
  })

  test('keeps to names and lengths, too', () => {
    expect(found({ 'console/src/utils.tsx': empty })).toEqual([
      "console/src/utils.tsx:1 the name 'utils.tsx' says nothing",
    ])
    expect(found({ 'console/src/page.tsx': empty.repeat(401) })).toEqual([
      'console/src/page.tsx:401 has 401 lines, 400 are allowed',
    ])
  })
})

describe('rules', () => {
  test.each([
    ['const a = Date.now()', 'Date.now'],
    ['const a = new Date()', 'the current time by Date'],
    ['const a = new Date', 'the current time by Date'],
    ['const a = Math.random()', 'Math.random'],
    ['setTimeout(() => {}, 1)', 'a timer'],
    ['const a = process.env.HOME', 'process'],
    ['const a = performance.now()', 'performance.now'],
    ['const a = fetch(url)', 'fetch'],
    ['const a = globalThis.process', 'a global of the environment'],
    ['const a = crypto.randomUUID()', 'crypto'],
    ['const a = () => import(name)', 'import() of a computed name'],
    ['const a = `at ${Date.now()}`', 'Date.now'],
    ['const a = date.getHours()', "the machine's zone or locale"],
    ['const a = x.localeCompare(y)', "the machine's zone or locale"],
    ['export enum Colour { red }', 'an enum'],
    ['declare const enum Colour { red }', 'an enum'],
    ['export namespace A {}', 'a namespace'],
    ['@sealed\nclass A {}', 'a decorator'],
    ['export default 1', 'a default export'],
    ["export * from './value.ts'", 'export *'],
    ['const a = await b()', 'a top-level await'],
    ['try { await b() } catch {}', 'a top-level await'],
    [`// ${'TO' + 'DO'}: later`, 'a mark of unfinished work'],
  ])('%s', (line, what) => {
    expect(found({ 'src/plan/value.ts': `export const z = 1\n${line}\n` })).toEqual([`src/plan/value.ts:2 ${what}`])
  })

  test.each([
    '// Date.now() and import { a } from "../cli/main.ts"',
    '/* setTimeout(f) */',
    "const a = 'Math.random()'",
    'const a = `import { b } from "../cli/main.ts"; process.exit()`',
    'const a = /Date.now()/.test(b)',
    'const a = /["`\']/.test(b), c = new Date(0)',
    'const a = b / c / d // process.exit()',
    'const a = new Date(micros)',
    'const a = clock.setTimeout(1)',
    'const a = this.process.now',
    'async function f() {\n  await g()\n}',
    'const f = async () => await g()',
    'class A {\n  async f() {\n    for await (const a of b) c(a)\n  }\n}',
    'const a = date.getUTCHours()',
    'interface A {\n  enum: string\n  namespace: string\n}',
  ])('allowed: %s', (line) => {
    expect(found({ 'src/plan/value.ts': `export const z = 1\n${line}\n` })).toEqual([])
  })

  test('io/ and tests may call what others may not', () => {
    const text = 'export const a = Date.now()\n'
    expect(found({ 'src/io/clock.ts': text, 'src/plan/a.test.ts': text })).toEqual([])
    expect(found({ 'src/cli/main.ts': 'export const a = process.argv\n' })).toEqual([])
  })

  test.each(['src/data/utils.ts', 'src/plan/helpers/a.ts', 'src/plan/core/a.ts', 'src/data/types.test.ts'])(
    '%s',
    (path) => {
      expect(found({ [path]: empty })).toEqual([expect.stringContaining('says nothing')])
    },
  )

  test('barrels', () => {
    const files = {
      'src/data/value.ts': empty,
      'src/data/all.ts': "// All of it.\nexport { a } from './value.ts'\nexport type { B } from './value.ts'\n",
      'src/plan/again.ts': "import { a } from '../data/value.ts'\n\nexport { a }\n",
      'src/index.ts': "export { a } from './data/value.ts'\n",
    }
    expect(found(files)).toEqual(['src/data/all.ts:1 a barrel', 'src/plan/again.ts:1 a barrel'])
  })

  test('a file that only its own test imports is dead, a worker started by URL is not', () => {
    const texts = new Map([
      ['src/plan/alone.ts', empty],
      ['src/plan/alone.test.ts', "import './alone.ts'"],
      ['src/engine/worker.ts', empty],
      ['src/index.ts', "export const worker = new URL('./engine/worker.js', import.meta.url)\n"],
    ])
    expect(check(texts).map(print)).toEqual([expect.stringContaining('src/plan/alone.ts:1  nobody imports this file')])
  })

  test('the ratchet on length only turns one way', () => {
    const lines = (count: number): string => 'export {}\n'.repeat(count)
    const path = 'src/plan/long.ts'
    expect(found({ [path]: lines(400) })).toEqual([])
    expect(found({ [path]: lines(401) })).toEqual([`${path}:401 has 401 lines, 400 are allowed`])
    expect(found({ [path]: lines(450) }, { [path]: 450 })).toEqual([])
    expect(found({ [path]: lines(451) }, { [path]: 450 })).toEqual([`${path}:451 has 451 lines, 450 are allowed`])
    expect(found({ [path]: lines(449) }, { [path]: 450 })).toEqual([
      `scripts/tidy/ratchet.json:1 ${path} shrank to 449`,
    ])
    expect(found({ [path]: lines(10) }, { [path]: 450 })).toEqual([
      `scripts/tidy/ratchet.json:1 ${path} needs no entry any more`,
    ])
  })
})

describe('scanning', () => {
  test('keeps offsets and lines', () => {
    const text = "const a = 'x\\'y' // no\nconst b = `p${`q${c}`}r` /* n\no */ + d"
    const { code } = scan(text)
    expect(code.length).toBe(text.length)
    expect(code.split('\n').length).toBe(text.split('\n').length)
    expect(code.replace(/\s+/g, ' ')).toBe("const a = ' ' const b = ` ${` ${c}`} ` + d")
  })

  test('finds every form of import, with its line', () => {
    const text = [
      "import type from './a.ts'",
      "import type { B } from './b.ts'",
      "import { type C, d } from './c.ts'",
      "export type { E } from './e.ts'",
      "const f = await import('./f.ts')",
      'const importer = { from: 1 }',
      "import.meta.resolve('./g.ts')",
    ].join('\n')
    expect(importsOf(text).map((i) => `${i.line} ${i.form} ${i.typeOnly ? 'type ' : ''}${i.specifier}`)).toEqual([
      '1 import ./a.ts',
      '2 import type ./b.ts',
      '3 import ./c.ts',
      '4 export type ./e.ts',
      '5 dynamic ./f.ts',
    ])
  })
})
