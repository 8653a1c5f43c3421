/**
 * Loads the beginning of the flights as the demo does, and kills itself in the middle if it is told to; else it prints
 * how many flights there are and the views' rows as text.
 * Arguments: the folder of the data, how many flights, flights of a commit, commits to be told of before the kill (0:
 * none).
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventsIn, loadFile } from '../../examples/flights/load.ts'
import { loadApp } from '../../src/cli/load-app.ts'
import { textsOf } from '../../src/cli/print-views.ts'
import { Database } from '../../src/database.ts'
import { nodeIo } from '../../src/io/node.ts'

const [data, most, commitRows, killAfter] = process.argv.slice(2)
const root = fileURLToPath(new URL('../..', import.meta.url))
const sources = path.join(root, 'node_modules/vega-datasets/data')
const io = nodeIo()
const { definition } = await loadApp(io.disk, path.join(root, 'examples/flights/flights.sql'))
const database = await Database.open({ io, definition, data, engine: 'inline' })
await loadFile(io, database, 'airport', path.join(sources, 'airports.csv'))
const before = eventsIn(database, 'flight')
let commits = 0
const { tick } = await loadFile(io, database, 'flight', path.join(sources, 'flights-3m.parquet'), {
  most: Number(most),
  commitRows: Number(commitRows),
  onProgress() {
    commits++
    if (commits !== Number(killAfter)) return
    // A commit is on its way to the disk: whether it arrives is a matter of these milliseconds.
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), Math.random() * 4)
  },
})
await database.waitForTick(tick)
const views: Record<string, unknown> = {}
for (const { name } of database.catalog().views) views[name] = textsOf((await database.read(name)).rows)
console.log(JSON.stringify({ before, flights: eventsIn(database, 'flight'), views }))
await database.close()
