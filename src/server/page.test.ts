import { describe, expect, it } from 'vitest'

interface RowsModule {
  readonly Bag: new () => {
    add(row: object, weight: number): string
    first(count: number, compare: (a: object, b: object) => number): { key: string; row: object }[]
    readonly size: number
  }
  comparator(columns: readonly object[], order: readonly string[]): (a: object, b: object) => number
  changedColumns(columns: readonly object[], row: object, gone: readonly object[]): Set<string> | null
}

const module = './page/rows.js'
const load = async (): Promise<RowsModule> => (await import(module)) as RowsModule

const columns = [
  { name: 'id', type: 'bigint' },
  { name: 'name', type: 'text' },
  { name: 'sum', type: 'numeric(10,2)' },
]
const row = (id: string, name: string | null, sum: string) => ({ id, name, sum })

describe("the page's rows", () => {
  it('lie in order, numbers by value, NULLs where PostgreSQL puts them', async () => {
    const { Bag, comparator } = await load()
    const bag = new Bag()
    for (const one of [row('10', 'b', '1.00'), row('9', null, '2.00'), row('2', 'a', '10.00')]) bag.add(one, 1)
    const ids = (...order: string[]) =>
      bag.first(9, comparator(columns, order)).map(({ row: one }) => (one as { id: string }).id)
    expect(ids()).toEqual(['2', '9', '10'])
    expect(ids('-id')).toEqual(['10', '9', '2'])
    expect(ids('name')).toEqual(['2', '10', '9'])
    expect(ids('-name')).toEqual(['9', '10', '2'])
    expect(ids('-sum')).toEqual(['2', '9', '10'])
  })

  it('come and go by weight', async () => {
    const { Bag, comparator } = await load()
    const bag = new Bag()
    bag.add(row('1', 'a', '1'), 2)
    bag.add(row('2', 'a', '1'), 1)
    expect(bag.first(2, comparator(columns, [])).map(({ key }) => key)).toHaveLength(2)
    bag.add(row('1', 'a', '1'), -2)
    expect(bag.first(9, comparator(columns, [])).map(({ row: one }) => one)).toEqual([row('2', 'a', '1')])
    expect(bag.size).toBe(1)
  })

  it('light up where they differ from the row that they replace', async () => {
    const { changedColumns } = await load()
    const gone = [row('1', 'a', '1'), row('2', 'a', '1')]
    expect(changedColumns(columns, row('2', 'a', '3'), gone)).toEqual(new Set(['sum']))
    expect(changedColumns(columns, row('7', 'z', '9'), gone)).toBeNull()
  })
})
