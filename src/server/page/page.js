import { Bag, changedColumns, comparator, isNumber } from './rows.js'

const shownRows = 500
/** Larger views are asked for their first rows again and again instead of sent whole. */
const streamedRows = 5000
const refreshMs = 1000
const paintMs = 200
/** More changes at once than this are not worth comparing for what to light up. */
const comparedChanges = 200

const at = (id) => document.getElementById(id)
const digits = new Intl.NumberFormat('en').format
const plural = (count, one, many = `${one}s`) => `${digits(count)} ${count === 1 ? one : many}`

let catalog = { topics: [], views: [] }
let chosen = null

// ── what is there ──

async function json(path, options) {
  const response = await fetch(path, options)
  const body = await response.json()
  if (!response.ok && response.status !== 503) throw new Error(body.detail ?? response.statusText)
  return body
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function showState(state, detail = '') {
  at('state').dataset.state = state
  setText(at('state'), detail)
}

async function refresh() {
  try {
    const [ready, defined] = await Promise.all([json('/readyz'), json('/v1/catalog')])
    const { tick, sealed_tick: sealed, events, events_per_second: rate, status } = ready
    setText(at('tick'), digits(tick))
    setText(at('events'), digits(events))
    setText(at('rate'), digits(rate))
    const replay = `replaying the log: tick ${digits(tick)} of ${digits(sealed)}`
    showState(status, status === 'ready' ? 'live' : status === 'failed' ? `stopped: ${ready.detail}` : replay)
    catalog = defined
    listRelations()
  } catch {
    showState('gone', 'no answer from the server')
  }
  setTimeout(refresh, refreshMs)
}

function listRelations() {
  list('views', catalog.views, ({ rows }) => digits(rows))
  list('topics', catalog.topics, ({ events }) => digits(events))
  const wanted = decodeURIComponent(location.hash.slice(1))
  const all = [...catalog.views, ...catalog.topics]
  const target = all.find(({ name }) => name === wanted) ?? all[0]
  if (target === undefined) {
    setText(at('name'), 'Nothing is defined yet')
    return
  }
  if (chosen === null || chosen.name !== target.name) choose(target)
  else chosen.update(target)
}

function list(id, relations, count) {
  const items = at(id)
  while (items.children.length > relations.length) items.lastChild.remove()
  relations.forEach((relation, i) => {
    let button = items.children[i]?.firstChild
    if (!button) {
      const item = document.createElement('li')
      button = document.createElement('button')
      button.append(document.createElement('span'), document.createElement('span'))
      button.addEventListener('click', () => {
        location.hash = encodeURIComponent(button.dataset.name)
      })
      item.append(button)
      items.append(item)
    }
    button.dataset.name = relation.name
    button.title = relation.name
    setText(button.children[0], relation.name)
    setText(button.children[1], count(relation))
    button.setAttribute('aria-current', String(chosen?.name === relation.name))
  })
}

// ── one relation ──

function choose(relation) {
  chosen?.close()
  chosen = 'sql' in relation ? new ViewTable(relation) : new TopicTable(relation)
  chosen.open()
  listRelations()
}

/** Rows on the page. Those who fill it hand it the rows to show. */
class Table {
  constructor(relation) {
    this.relation = relation
    this.name = relation.name
    this.closed = false
    this.rows = new Map()
    this.timer = null
    this.order = null
    setText(at('name'), relation.name)
    setText(at('shown'), '')
    at('rows').replaceChildren()
    at('empty').hidden = true
  }

  head(columns, order) {
    at('columns').replaceChildren(
      ...columns.map(({ name, type }) => {
        const cell = document.createElement('th')
        const button = document.createElement('button')
        button.textContent = name
        button.title = type
        cell.scope = 'col'
        if (isNumber(type)) cell.className = 'number'
        if (order[0] === name) cell.ariaSort = 'ascending'
        if (order[0] === `-${name}`) cell.ariaSort = 'descending'
        button.addEventListener('click', () => this.sortBy(order[0] === name ? `-${name}` : name))
        cell.append(button)
        return cell
      }),
    )
  }

  sortBy(column) {
    this.order = [column]
    this.head(this.columns, this.order)
    this.paint(true)
  }

  /** @param lit which columns of a row to light up, by its key: all, some or none */
  show(rows, lit) {
    const kept = new Map()
    const elements = rows.map(({ key, row }) => {
      let element = this.rows.get(key)
      if (!element) {
        element = this.element(row)
        const changed = lit?.get(key)
        if (changed !== undefined) {
          ;[...element.children].forEach((cell, i) => {
            if (changed === null || changed.has(this.columns[i].name)) cell.classList.add('flash')
          })
        }
      }
      kept.set(key, element)
      return element
    })
    this.rows = kept
    const body = at('rows')
    const same = body.children.length === elements.length && elements.every((one, i) => body.children[i] === one)
    if (!same) body.replaceChildren(...elements)
    at('empty').hidden = elements.length > 0
  }

  element(row) {
    const element = document.createElement('tr')
    for (const { name, type } of this.columns) {
      const cell = document.createElement('td')
      const value = row[name]
      if (isNumber(type)) cell.className = 'number'
      if (value === null || value === undefined) {
        cell.textContent = 'null'
        cell.classList.add('null')
      } else {
        cell.textContent = typeof value === 'object' ? JSON.stringify(value) : String(value)
        if (cell.textContent.length > 40) cell.title = cell.textContent
      }
      element.append(cell)
    }
    return element
  }

  update(relation) {
    this.relation = relation
  }

  close() {
    this.closed = true
    clearTimeout(this.timer)
  }
}

class ViewTable extends Table {
  constructor(view) {
    super(view)
    this.bag = new Bag()
    this.source = null
    this.lit = new Map()
    this.whole = false
    this.begin(view)
  }

  begin(view) {
    this.columns = view.columns
    this.signature = JSON.stringify([view.columns, view.sql])
    this.order = view.order
    this.head(view.columns, this.order)
    setText(at('sql'), view.sql)
    at('definition').hidden = false
    setText(at('badge'), view.emit === 'final' ? 'view · final' : 'view')
  }

  update(view) {
    super.update(view)
    at('errors').hidden = view.errors === 0
    setText(at('errors'), `${plural(view.errors, 'row')} could not be computed and are not shown`)
    if (JSON.stringify([view.columns, view.sql]) !== this.signature) choose(view)
    else this.tell()
  }

  open() {
    this.update(this.relation)
    if (this.relation.rows <= streamedRows) this.stream()
    else this.poll()
  }

  stream() {
    const source = new EventSource(`/v1/views/${encodeURIComponent(this.name)}/live?numbers=string`)
    this.source = source
    // A new connection without a place to go on from begins with a new snapshot.
    source.addEventListener('open', () => {
      if (!this.whole) this.bag.clear()
    })
    source.addEventListener('reset', () => {
      this.bag.clear()
      this.whole = false
    })
    source.addEventListener('snapshot', (event) => {
      for (const row of JSON.parse(event.data).rows) this.bag.add(row, 1)
      this.whole = event.lastEventId !== ''
      this.paintSoon()
      this.leaveIfLarge()
    })
    source.addEventListener('change', (event) => {
      this.take(JSON.parse(event.data).changes)
      this.leaveIfLarge()
    })
    source.addEventListener('error', () => {
      // A refusal ends the source for good; the catalog says when there is somebody to ask again.
      if (source.readyState === EventSource.CLOSED && !this.closed) {
        this.timer = setTimeout(() => this.restart(), refreshMs)
      }
    })
  }

  restart() {
    this.source?.close()
    this.source = null
    this.whole = false
    this.bag.clear()
    if (!this.closed) this.open()
  }

  take(changes) {
    const few = changes.length <= comparedChanges
    const gone = few ? changes.filter(({ weight }) => weight < 0).map(({ row }) => row) : []
    for (const { row, weight } of changes) {
      const key = this.bag.add(row, weight)
      if (weight > 0) this.lit.set(key, few ? changedColumns(this.columns, row, gone) : null)
    }
    this.paintSoon()
  }

  leaveIfLarge() {
    if (this.bag.size <= streamedRows * 2) return
    this.source.close()
    this.source = null
    this.bag.clear()
    this.poll()
  }

  paintSoon() {
    this.painting ??= setTimeout(() => {
      this.painting = undefined
      if (!this.closed && this.source !== null) this.paint(false)
    }, paintMs)
  }

  paint() {
    if (this.source === null) {
      // In another order all rows are new, and none has changed.
      this.rows.clear()
      this.poll()
      return
    }
    this.show(this.bag.first(shownRows, comparator(this.columns, this.order)), this.lit)
    this.lit.clear()
    this.tell()
  }

  async poll() {
    clearTimeout(this.timer)
    const turn = {}
    this.turn = turn
    const order = this.order.map((column) => `&order=${encodeURIComponent(column)}`).join('')
    const path = `/v1/views/${encodeURIComponent(this.name)}?limit=${shownRows}&numbers=string${order}`
    try {
      const { rows } = await json(path)
      if (this.closed || this.turn !== turn || rows === undefined) return
      const seen = new Map()
      const keyed = rows.map((row) => {
        const text = JSON.stringify(row)
        const times = seen.get(text) ?? 0
        seen.set(text, times + 1)
        return { key: times === 0 ? text : `${text}#${times}`, row }
      })
      const lit = new Map()
      if (this.rows.size > 0) for (const { key } of keyed) if (!this.rows.has(key)) lit.set(key, null)
      this.show(keyed, lit)
      this.tell()
    } catch {
      // The status line says that nobody answers.
    } finally {
      if (!this.closed && this.turn === turn) this.timer = setTimeout(() => this.poll(), refreshMs)
    }
  }

  tell() {
    const all = this.source === null || !this.whole ? this.relation.rows : this.bag.size
    const some = Math.min(shownRows, all)
    setText(at('shown'), all > some ? `first ${digits(some)} of ${plural(all, 'row')}` : plural(all, 'row'))
  }

  close() {
    super.close()
    clearTimeout(this.painting)
    this.source?.close()
  }
}

class TopicTable extends Table {
  constructor(topic) {
    super(topic)
    this.columns = [
      { name: '_offset', type: 'bigint' },
      { name: '_tick', type: 'bigint' },
      ...(topic.kind === 'table' ? [{ name: '_op', type: 'text' }] : []),
      ...topic.columns,
    ]
    at('definition').hidden = true
    at('errors').hidden = true
    this.head(this.columns, ['-_offset'])
    setText(at('badge'), topic.kind)
    this.end = -1
  }

  open() {
    void this.poll()
  }

  /** The newest events come first; another order would need them all. */
  sortBy() {}

  async poll() {
    const { events } = this.relation
    if (events !== this.end) {
      const from = Math.max(0, events - shownRows)
      try {
        const path = `/v1/topics/${encodeURIComponent(this.name)}/events?from=${from}&limit=${shownRows}&numbers=string`
        const body = await json(path)
        if (this.closed || body.events === undefined) return
        this.fill(body.events)
        this.end = events
      } catch {
        // The status line says that nobody answers.
      }
    }
    if (!this.closed) this.timer = setTimeout(() => this.poll(), refreshMs / 2)
  }

  fill(events) {
    const rows = events.reverse().map(({ offset, tick, op, data }) => ({
      key: String(offset),
      row: { ...data, _offset: offset, _tick: tick, _op: op },
    }))
    const lit = new Map()
    if (this.end >= 0) for (const { key } of rows) if (!this.rows.has(key)) lit.set(key, null)
    this.show(rows, lit)
    const all = this.relation.events
    setText(
      at('shown'),
      all > rows.length ? `newest ${digits(rows.length)} of ${plural(all, 'event')}` : plural(all, 'event'),
    )
  }
}

addEventListener('hashchange', listRelations)
refresh()
