import { type ErrorPlace, invariant } from '../data/errors.ts'
import type { ColumnSchema } from '../data/sql-type.ts'
import type { AppFunction } from '../expr/app-function.ts'
import type { SelectStmt } from '../sql/parse.ts'
import { nearest, refusal } from '../sql/refuse.ts'
import type { Source } from '../sql/source.ts'
import { fold } from '../sql/tokens.ts'
import type { Program, TopicDefinition, ViewDefinition } from './program.ts'

/** What a name in SQL can stand for. */
export type Relation = TopicRelation | ViewRelation | QueryRelation

/** A topic; with a primary key, a table. */
export interface TopicRelation {
  readonly kind: 'topic' | 'table'
  readonly name: string
  readonly columns: readonly ColumnSchema[]
  readonly definition: TopicDefinition
}

/** A materialized view. */
export interface ViewRelation {
  readonly kind: 'view'
  readonly name: string
  readonly columns: readonly ColumnSchema[]
  readonly definition: ViewDefinition
}

/** A named query: CREATE VIEW. Nothing of it is kept; whoever reads it binds `query` anew in its place. */
export interface QueryRelation {
  readonly kind: 'query'
  readonly name: string
  readonly columns: readonly ColumnSchema[]
  readonly query: SelectStmt
  /** Names that replace the query's own, from the left; there may be fewer than columns. */
  readonly columnNames: readonly string[]
  /** What `location`s in `query` count in. */
  readonly source: Source
}

/** The log's topic of definitions. Users' topics and views count from 1. */
export const catalogTopicId = 0

/** What a catalog has beside its relations. */
interface Beside {
  /** The catalog that it is a part of. */
  readonly whole: Catalog | null
  /** The app's functions, by folded name. */
  readonly functions: ReadonlyMap<string, AppFunction>
}

const nothingBeside: Beside = { whole: null, functions: new Map() }

/** What is defined, by name. Immutable: adding gives a new one. Names are the same if they differ only in case. */
export class Catalog {
  static readonly empty = new Catalog(new Map(), new Map(), new Map(), new Set())

  readonly #byName: ReadonlyMap<string, Relation>
  readonly #ids: ReadonlyMap<string, number>
  readonly #before: ReadonlyMap<string, TopicDefinition>
  readonly #later: ReadonlySet<string>
  readonly #beside: Beside

  private constructor(
    byName: ReadonlyMap<string, Relation>,
    ids: ReadonlyMap<string, number>,
    before: ReadonlyMap<string, TopicDefinition>,
    later: ReadonlySet<string>,
    beside: Beside = nothingBeside,
  ) {
    this.#byName = byName
    this.#ids = ids
    this.#before = before
    this.#later = later
    this.#beside = beside
  }

  /**
   * An empty catalog in which names that `previous` has get the ids that they have there, and topics follow theirs.
   * @param later what will be defined: who uses one of these too early is told so
   */
  static after(previous: Program, later: readonly string[] = []): Catalog {
    const ids = [...previous.topics, ...previous.views].map(({ name, id }) => [fold(name), id] as const)
    const before = new Map(previous.topics.map((topic) => [fold(topic.name), topic]))
    return new Catalog(new Map(), new Map(ids), before, new Set(later.map(fold)))
  }

  /** An empty catalog for some of another one's relations, whose plans may read the others. */
  static within(whole: Catalog): Catalog {
    return new Catalog(new Map(), new Map(), new Map(), new Set(), { whole, functions: whole.#beside.functions })
  }

  /** The catalog of a program alone. Named queries are not in it: a program has no need of them. */
  static of(program: Program): Catalog {
    const topics = program.topics.map(topicRelation)
    const relations: Relation[] = [...topics, ...program.views.map(viewRelation)]
    return relations.reduce((catalog, relation) => catalog.add(relation), Catalog.after(program))
  }

  get relations(): readonly Relation[] {
    return [...this.#byName.values()]
  }

  /** Topics and tables, in the order of their definition. */
  get topics(): readonly TopicDefinition[] {
    return this.relations.flatMap((relation) =>
      relation.kind === 'topic' || relation.kind === 'table' ? [relation.definition] : [],
    )
  }

  /** Materialized views, in the order of their definition: each reads only what stands before it. */
  get views(): readonly ViewDefinition[] {
    return this.relations.flatMap((relation) => (relation.kind === 'view' ? [relation.definition] : []))
  }

  get program(): Program {
    return { topics: this.topics, views: this.views }
  }

  find(name: string): Relation | null {
    return this.#byName.get(fold(name)) ?? null
  }

  /** @throws MillraceError sql/unknown-relation, with the name that was probably meant */
  resolve(name: string, place: ErrorPlace): Relation {
    const relation = this.find(name)
    if (relation !== null) return relation
    if (this.#later.has(fold(name))) {
      const what = `relation "${name}" is used before it is defined`
      throw refusal('sql/unknown-relation', what, place, 'put its definition above this one')
    }
    const names = this.relations.map((known) => known.name)
    const near = nearest(name, names)
    const known = names.length === 0 ? 'nothing is defined yet' : `defined are ${listed(names)}`
    throw refusal(
      'sql/unknown-relation',
      `relation "${name}" does not exist`,
      place,
      near === null ? known : `did you mean ${near}?`,
    )
  }

  /** The topic, table or view that a plan's scan reads. */
  byId(id: number): TopicRelation | ViewRelation {
    for (const relation of this.#byName.values()) {
      if (relation.kind !== 'query' && relation.definition.id === id) return relation
    }
    if (this.#beside.whole !== null) return this.#beside.whole.byId(id)
    invariant(false, `no relation has the id ${id}`)
  }

  /** The id for a topic or view of this name: the one it had before, else one that none ever had here. */
  idFor(name: string): number {
    const before = this.#ids.get(fold(name))
    if (before !== undefined) return before
    let highest = catalogTopicId
    for (const id of this.#ids.values()) highest = Math.max(highest, id)
    for (const { id } of [...this.topics, ...this.views]) highest = Math.max(highest, id)
    return highest + 1
  }

  /** The topic of this name as it was defined before; null: there was none. */
  topicBefore(name: string): TopicDefinition | null {
    return this.#before.get(fold(name)) ?? null
  }

  add(relation: Relation): Catalog {
    const name = fold(relation.name)
    invariant(!this.#byName.has(name), `${relation.name} is defined twice`)
    const relations = new Map([...this.#byName, [name, relation]])
    return new Catalog(relations, this.#ids, this.#before, this.#later, this.#beside)
  }

  withFunctions(functions: readonly AppFunction[]): Catalog {
    const beside = { ...this.#beside, functions: new Map(functions.map((fn) => [fold(fn.name), fn])) }
    return new Catalog(this.#byName, this.#ids, this.#before, this.#later, beside)
  }

  /** The app's function of this name. */
  findFunction(name: string): AppFunction | null {
    return this.#beside.functions.get(fold(name)) ?? null
  }
}

export function topicRelation(definition: TopicDefinition): TopicRelation {
  const { name, columns } = definition
  return { kind: definition.primaryKey.length > 0 ? 'table' : 'topic', name, columns, definition }
}

export function viewRelation(definition: ViewDefinition): ViewRelation {
  const { name, columns } = definition
  return { kind: 'view', name, columns, definition }
}

function listed(names: readonly string[]): string {
  return names.length > 12 ? `${names.slice(0, 12).join(', ')} and ${names.length - 12} more` : names.join(', ')
}
