import type { Random } from '../fuzz/random.ts'

/** Types that a column goes through, each wider than the one before. */
const chains: Readonly<Record<string, readonly string[]>> = {
  count: ['smallint', 'integer', 'bigint', 'numeric'],
  amount: ['numeric(6,2)', 'numeric(12,2)', 'numeric(24,2)', 'numeric'],
  word: ['varchar(4)', 'varchar(8)', 'text'],
  ratio: ['real', 'double precision'],
  note: ['text'],
  extra: ['jsonb'],
  size: ['integer', 'numeric(14,2)', 'numeric'],
  day: ['date'],
  must: ['integer', 'bigint'],
}
/** A primary key's numeric has a precision: 1.0 and 1.00 are one key only if they are written alike. */
const keyChain = ['smallint', 'integer', 'bigint', 'numeric(24,0)']
const names = Object.keys(chains)

interface Column {
  readonly name: string
  readonly stage: number
  readonly notNull: boolean
}

/** A topic or table whose columns change, and what PostgreSQL has to do for each change. */
export class ChangingTable {
  readonly name: string
  readonly key: string
  readonly keyed: boolean
  columns: Column[]
  #keyStage = 0
  /** By name, the stages of columns that are not there any more. */
  readonly #gone = new Map<string, number>()

  constructor(name: string, key: string, keyed: boolean) {
    this.name = name
    this.key = key
    this.keyed = keyed
    this.columns = [
      { name: 'count', stage: 0, notNull: false },
      { name: 'amount', stage: 0, notNull: false },
      { name: 'word', stage: 0, notNull: false },
      { name: 'must', stage: 0, notNull: true },
    ]
  }

  get definition(): string {
    const columns = this.columns.map(({ name, notNull }) => `${name} ${this.typeOf(name)}${notNull ? ' NOT NULL' : ''}`)
    const key = `${this.key} ${keyChain[this.#keyStage]} ${this.keyed ? 'PRIMARY KEY' : 'NOT NULL'}`
    const time = this.keyed ? [] : ['at timestamp NOT NULL']
    const options = this.keyed ? '' : ` WITH (event_time = 'at')`
    return `CREATE TABLE ${this.name} (${[...time, ...columns, key].join(', ')})${options};`
  }

  /** What PostgreSQL sees at first: `_raw` is the event, `_had` are the columns that it was read with. */
  get created(): string {
    const head = this.definition.replace(/\)( WITH .*)?;$/, '')
    return `${head}, _raw json, _had text[]);`
  }

  get columnNames(): readonly string[] {
    return [...(this.keyed ? [] : ['at']), ...this.columns.map(({ name }) => name), this.key]
  }

  typeOf(name: string): string {
    return chains[name][this.columns.find((column) => column.name === name)!.stage]
  }

  /** @returns statements for PostgreSQL */
  change(random: Random): string[] {
    const { name: table } = this
    const column = random.pick(this.columns)
    const kind = random.integer(0, 5)
    if (kind === 0 && this.columns.length > 2) {
      this.columns = this.columns.filter((other) => other !== column)
      this.#gone.set(column.name, column.stage)
      const gone = `_gone_${column.name}`
      return [
        `ALTER TABLE ${table} RENAME ${column.name} TO ${gone}`,
        `ALTER TABLE ${table} ALTER ${gone} DROP NOT NULL`,
      ]
    }
    if (kind === 1) {
      this.columns = random.shuffle(this.columns)
      return []
    }
    if (kind === 2) return this.#widen(random, column)
    if (kind === 3) {
      this.#replace({ ...column, notNull: false })
      return [`ALTER TABLE ${table} ALTER ${column.name} DROP NOT NULL`]
    }
    if (kind === 4) {
      this.#keyStage = Math.min(this.#keyStage + 1, keyChain.length - 1)
      return [`ALTER TABLE ${table} ALTER ${this.key} TYPE ${keyChain[this.#keyStage]}`]
    }
    return this.#add(random)
  }

  #widen(random: Random, { name, stage, notNull }: Column): string[] {
    const wider = random.integer(stage, chains[name].length - 1)
    this.#replace({ name, stage: wider, notNull })
    return [`ALTER TABLE ${this.name} ALTER ${name} TYPE ${chains[name][wider]}`, this.#fromEvents(name)]
  }

  #add(random: Random): string[] {
    const absent = names.filter((name) => !this.columns.some((column) => column.name === name))
    if (absent.length === 0) return []
    const name = random.pick(absent)
    const gone = this.#gone.get(name)
    const stage = random.integer(gone ?? 0, chains[name].length - 1)
    this.#gone.delete(name)
    this.columns = random.shuffle([...this.columns, { name, stage, notNull: false }])
    const type = chains[name][stage]
    const back = [
      `ALTER TABLE ${this.name} RENAME _gone_${name} TO ${name}`,
      `ALTER TABLE ${this.name} ALTER ${name} TYPE ${type}`,
    ]
    const added = gone === undefined ? [`ALTER TABLE ${this.name} ADD ${name} ${type}`] : back
    return [...added, this.#fromEvents(name)]
  }

  /** What events had as an unknown field is read as the column's type is now. */
  #fromEvents(name: string): string {
    const { name: table } = this
    return `UPDATE ${table} SET ${name} = (json_populate_record(null::${table}, _raw)).${name} WHERE NOT '${name}' = ANY(_had)`
  }

  #replace(column: Column): void {
    this.columns = this.columns.map((other) => (other.name === column.name ? column : other))
  }

  /** An event, perhaps with fields that are no columns. */
  event(random: Random, key: number, at: string): string {
    const fields = [`"${this.key}":${key}`, ...(this.keyed ? [] : [`"at":"${at}"`])]
    for (const name of random.shuffle(names)) {
      const column = this.columns.find((other) => other.name === name)
      if (column?.notNull === true) fields.push(`"${name}":${valueFor(random, name, column.stage)}`)
      else if (random.chance(0.1)) fields.push(`"${name}":null`)
      else if (random.chance(0.7)) fields.push(`"${name}":${valueFor(random, name, column?.stage ?? 0)}`)
    }
    return `{${random.shuffle(fields).join(',')}}`
  }

  /** What PostgreSQL does with an event. */
  insert(data: string): string {
    const had = JSON.stringify(this.columns.map(({ name }) => name))
    const row = `${data.slice(0, -1)},"_raw":${data},"_had":${had}}`
    const insert = `INSERT INTO ${this.name} SELECT * FROM json_populate_record(null::${this.name}, '${row}')`
    if (!this.keyed) return insert
    return `DELETE FROM ${this.name} WHERE ${this.key} = ${keyOf(data, this.key)}; ${insert}`
  }

  delete(key: number): string {
    return `DELETE FROM ${this.name} WHERE ${this.key} = ${key}`
  }
}

function keyOf(data: string, key: string): number {
  return (JSON.parse(data) as Record<string, number>)[key]
}

/** JSON of a value that its column takes at a stage and at every later one. */
function valueFor(random: Random, name: string, stage: number): string {
  const small = random.integer(-40, 40)
  switch (name) {
    case 'count':
    case 'must':
    case 'size':
      return stage > 0 && random.chance(0.2) ? String(small * 1_000_003) : String(small)
    case 'amount':
      return stage > 1 && random.chance(0.2) ? `${small || 1}000000000000000.25` : `${small}.${random.integer(10, 99)}`
    case 'word':
      return stage > 0 && random.chance(0.2) ? '"abcdefgh"' : random.pick(['"a"', '"äb"', '""', '"x\\"y"'])
    case 'ratio':
      return random.pick(['0.1', '2.5', '-3', '1e3'])
    case 'note':
      return random.pick(['"n"', '"ä\\n"', '"n1"'])
    case 'extra':
      return random.pick(['{"a": [1, 2.50]}', '"x"', '7', '[]'])
    default:
      return random.pick(['"2026-01-05"', '"1999-12-31"'])
  }
}
