// Follows a view of the running server: `npx tsx follow.ts`. The same code runs in a browser.
import { createClient } from 'millrace/client'

const db = createClient<typeof import('./millrace.ts')>({ url: 'http://127.0.0.1:4280' })

const { tick } = await db.customers.append({ id: 'joan', name: 'Joan Clarke', country: 'GB' })
console.log((await db.spent.get({ minTick: tick })).rows)

for await (const { kind, changes } of db.spent.live()) {
  for (const { row, weight } of changes) console.log(kind, weight > 0 ? '+' : '-', row.name, row.total)
}
