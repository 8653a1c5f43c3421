// Whatever stands in names and values, what is copied of it says the same in each language.
import { execFileSync } from 'node:child_process'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'

interface Quotes {
  tsValue(value: unknown): string
  sqlName(name: string): string
  shellText(text: string): string
}

describe("the snippets' quotes", () => {
  let quotes: Quotes
  beforeAll(async () => {
    // A part of the page, which is not of this project's types.
    const file = '../../console/src/snippets/quotes.ts'
    quotes = (await import(file)) as Quotes
  })
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom("'", '"', '`', '\\', '$', '{', '}', '\n', '\r', 'a', ' ', '$(', '…'))
      .map((all) => all.join('')),
  )

  it('give every text back in TypeScript', () => {
    fc.assert(
      fc.property(text, (value) => {
        const given = { [`k${value}`]: [value, null, 1.5, true] }
        expect(JSON.stringify(runInNewContext(`(${quotes.tsValue(given)})`))).toBe(JSON.stringify(given))
      }),
    )
  })

  it('make fields of all names', () => {
    for (const name of ['__proto__', 'constructor', '', "a'b", 'a\nb']) {
      const given = JSON.parse(`{${JSON.stringify(name)}:{"x":1}}`)
      const back = runInNewContext(`JSON.stringify(${quotes.tsValue(given)})`)
      expect([name, back]).toEqual([name, JSON.stringify(given)])
    }
  })

  it('give every text back behind a shell', () => {
    const values = fc
      .sample(text, 60)
      .filter((value) => !value.includes('\0') && Buffer.from(value).toString() === value)
    const script = values.map((value) => `echoed ${quotes.shellText(value)}`).join('\n')
    const printing = `echoed() { printf '%s\\0' "$1"; }\n${script}\n`
    const printed = execFileSync('sh', { encoding: 'utf8', input: printing }).split('\0').slice(0, -1)
    expect(printed).toEqual(values)
  })

  it('stand around names that PostgreSQL would take for something else', () => {
    const names = ['orders', 'order', 'Order', 'a b', 'a"b', 'user', '1st']
    expect(names.map((name) => quotes.sqlName(name))).toEqual([
      'orders',
      '"order"',
      '"Order"',
      '"a b"',
      '"a""b"',
      '"user"',
      '"1st"',
    ])
  })
})
