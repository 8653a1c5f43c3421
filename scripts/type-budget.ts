// What type-checking an app costs: an app of 100 views with joins and groups against one of none, both with tsc's own
// figures. Ends with 1 where the views cost more than the budget.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const budgetSeconds = 2
const topics = 10
const views = 100
const runs = 3

const root = fileURLToPath(new URL('..', import.meta.url))

const imports = `import {
  add, and, avg, caseWhen, coalesce, count, defineApp, desc, eq, exists, from, gt, isNull, like, lower, max, mul, or,
  rowNumber, sum, t, table, topic, tumble, view,
} from 'millrace'
import { z } from 'zod'
`

function topicText(i: number): string {
  return `export const orders${i} = topic('orders${i}', {
  schema: z.object({
    id: z.string(), userId: z.string(), amount: z.number(), pieces: z.int(), status: z.enum(['new', 'paid', 'sent']),
    note: z.string().nullable(), at: z.coerce.date(), tags: z.array(z.string()),
  }),
  time: 'at',
})
export const users${i} = table('users${i}', {
  schema: { id: t.text(), name: t.text().nullable(), region: t.text(), pay: t.numeric(12, 2), since: t.timestamptz() },
  key: 'id',
})
`
}

function viewText(i: number): string {
  const source = `orders${i % topics}`
  const users = `users${(i * 7) % topics}`
  const name = `view${i}`
  const texts = [
    `from({ o: ${source} })
  .join({ u: ${users} }, ({ o, u }) => eq(o.userId, u.id))
  .where(({ o, u }) => and(eq(o.status, 'paid'), gt(o.amount, ${i}), or(isNull(u.name), like(u.region, 'e%'))))
  .groupBy(({ o, u }) => ({ minute: tumble(o.at, '1m'), region: lower(u.region) }))
  .select(({ o, u, key }) => ({
    ...key, orders: count(), revenue: sum(o.amount), pieces: sum(mul(o.pieces, 2)), pay: max(u.pay), mean: avg(o.pieces),
  }))`,
    `from({ o: ${source} })
  .leftJoin({ u: ${users} }, ({ o, u }) => eq(o.userId, u.id))
  .leftJoin({ v: ${users} }, ({ u, v }) => eq(u.name, v.id))
  .select(({ o, u, v }) => ({
    ...o, name: coalesce(u.name, v.name, 'nobody'), next: add(o.pieces, 1), pay: mul(u.pay, 2),
    size: caseWhen(gt(o.amount, 100), 'big').when(gt(o.amount, 10), 'middling').else('small'),
  }))`,
    `from({ o: ${source} })
  .where(({ o }) => exists(from({ u: ${users} }).where(({ u }) => eq(u.id, o.userId))))
  .select(({ o }) => ({ id: o.id, amount: o.amount, place: rowNumber({ by: desc(o.amount), per: o.userId }) }))
  .top(3, { by: '-amount', per: 'place' })`,
    `from({ s: view${i - 1 - (i % 4 === 0 ? 0 : (i % 4) - 1)} })
  .groupBy(({ s }) => ({ region: s.region }))
  .select(({ s, key }) => ({ region: key.region, orders: sum(s.orders), best: max(s.revenue) }))
  .orderBy('-orders')`,
  ]
  // Every fourth reads the view three before it, which is of the first form.
  const text = i % 4 === 3 ? texts[3].replace(/view\d+/, `view${i - 3}`) : texts[i % 4]
  return `export const ${name} = view('${name}', ${text})\n`
}

function appText(count: number): string {
  const names = Array.from({ length: count }, (_, i) => `view${i}`)
  const sources = Array.from({ length: topics }, (_, i) => [`orders${i}`, `users${i}`]).flat()
  return [
    imports,
    ...Array.from({ length: topics }, (_, i) => topicText(i)),
    ...names.map((_, i) => viewText(i)),
    `export default defineApp({ ${[...sources, ...names].join(', ')} })`,
  ].join('\n')
}

interface Figures {
  readonly seconds: number
  readonly instantiations: number
}

function check(folder: string): Figures {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const printed = execFileSync(process.execPath, [compiler, '-p', folder, '--extendedDiagnostics'], {
    encoding: 'utf8',
  })
  const figure = (name: string): number => Number(new RegExp(`^${name}:\\s+([\\d.]+)`, 'm').exec(printed)?.[1])
  return { seconds: figure('Check time'), instantiations: figure('Instantiations') }
}

function project(count: number): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-types-')))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'millrace'))
  symlinkSync(join(root, 'node_modules', 'zod'), join(folder, 'node_modules', 'zod'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    lib: ['es2022', 'dom', 'esnext.disposable'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['app.ts'] }))
  writeFileSync(join(folder, 'app.ts'), appText(count))
  return folder
}

/** The least of a few runs: the others had to share the processor. */
function best(folder: string): Figures {
  const all = Array.from({ length: runs }, () => check(folder))
  return all.reduce((least, figures) => (figures.seconds < least.seconds ? figures : least))
}

const folders = [project(0), project(views)]
try {
  const [empty, full] = folders.map(best)
  const cost = full.seconds - empty.seconds
  const told = ({ seconds, instantiations }: Figures): string =>
    `${seconds.toFixed(2)} s, ${instantiations} instantiations`
  console.log(`no view: ${told(empty)}\n${views} views: ${told(full)}`)
  console.log(`${views} views cost ${cost.toFixed(2)} s of type-checking; the budget is ${budgetSeconds} s`)
  process.exitCode = cost <= budgetSeconds ? 0 : 1
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true })
}
