// Rows of one relation on the page: a bag of rows that changes are added to, put in order.

const exact = new Set(['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'])

/** Numbers come as text, so that none is rounded; they are shown to the right. */
export function isNumber(type) {
  return exact.has(type.replace(/\(.*/, ''))
}

function compareValues(a, b, number) {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  if (number) {
    const difference = Number(a) - Number(b)
    if (difference !== 0) return difference
  }
  const left = typeof a === 'object' ? JSON.stringify(a) : a
  const right = typeof b === 'object' ? JSON.stringify(b) : b
  return left < right ? -1 : left > right ? 1 : 0
}

/** @param order columns, with a minus before those that descend; beyond, all columns from left to right */
export function comparator(columns, order) {
  const keys = []
  const add = (name, descending) => {
    const column = columns.find((one) => one.name === name)
    if (column && !keys.some((key) => key.name === name)) {
      keys.push({ name, descending, number: isNumber(column.type) })
    }
  }
  for (const text of order) {
    const own = columns.some((column) => column.name === text)
    if (own || !text.startsWith('-')) add(text, false)
    else add(text.slice(1), true)
  }
  for (const { name } of columns) add(name, false)
  return (a, b) => {
    for (const { name, descending, number } of keys) {
      const result = compareValues(a[name], b[name], number)
      if (result !== 0) return descending ? -result : result
    }
    return 0
  }
}

export class Bag {
  #rows = new Map()
  size = 0

  clear() {
    this.#rows.clear()
    this.size = 0
  }

  /** @returns the row's key */
  add(row, weight) {
    const key = JSON.stringify(row)
    const entry = this.#rows.get(key)
    const sum = (entry?.weight ?? 0) + weight
    this.size += weight
    if (sum === 0) this.#rows.delete(key)
    else if (entry) entry.weight = sum
    else this.#rows.set(key, { key, row, weight: sum })
    return key
  }

  /** The first rows in order, each as often as it is there. */
  first(count, compare) {
    const sorted = [...this.#rows.values()].sort((a, b) => compare(a.row, b.row))
    const rows = []
    for (const { key, row, weight } of sorted) {
      for (let n = 0; n < weight && rows.length < count; n++) rows.push({ key: n === 0 ? key : `${key}#${n}`, row })
      if (rows.length >= count) break
    }
    return rows
  }
}

/** Which columns of a row are new, by the row among those gone that is most like it; all where there is none. */
export function changedColumns(columns, row, gone) {
  let best = null
  let most = 0
  for (const old of gone) {
    const same = columns.filter(({ name }) => JSON.stringify(old[name]) === JSON.stringify(row[name]))
    if (same.length > most && same.length < columns.length) {
      best = same
      most = same.length
    }
  }
  if (best === null) return null
  const kept = new Set(best.map(({ name }) => name))
  return new Set(columns.map(({ name }) => name).filter((name) => !kept.has(name)))
}
