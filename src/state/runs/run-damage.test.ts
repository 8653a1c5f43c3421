// One bit turns anywhere, or a file is cut anywhere: it is named, or an older snapshot is taken; nothing wrong is served.
import { describe, expect, it } from 'vitest'
import { type Bucket, type Buckets, lookUp, lookUpAll, piecesOf, withRows } from '../../../test/support/buckets.ts'
import { MillraceError } from '../../data/errors.ts'
import { type Disk, type DiskReader, IoError } from '../../io/io.ts'
import { type SimulatedIo, simulatedIo } from '../../io/twin/simulated-io.ts'
import { manifestName, openSnapshots } from '../snapshots/manifest.ts'
import { SnapshotFolder } from '../snapshots/snapshot-folder.ts'
import { ColdRuns } from './cold-runs.ts'

const folder = 'd/state'
const names = ['a', 'b'] as const

/** By tick and arrangement. */
const states: readonly Readonly<Record<(typeof names)[number], Buckets>>[] = [0, 1, 2].map((tick) => ({
  a: new Map(Array.from({ length: 5 * tick }, (_, i): [bigint, Bucket] => [BigInt(i) << 60n, [[[i, `text ${i}`]]]])),
  b: new Map(tick === 0 ? [] : [[7n, [[[tick === 2 ? null : 1]], [[]]]]]),
}))

async function written(): Promise<Map<string, Uint8Array>> {
  const io = simulatedIo(1)
  const snapshots = await SnapshotFolder.open(io, folder, null)
  for (const tick of [1, 2]) {
    const changed = new Map([...states[tick].a].slice(5 * (tick - 1)))
    await snapshots.add(piecesOf('a', [['i32', 'bytes']], new Map([...changed, [99n, [[]]]])))
    await snapshots.add(piecesOf('b', [['i32'], []], states[tick].b))
    await snapshots.commit(tick, { files: [`view-${tick}.run`] })
    io.disk.place(`${folder}/view-${tick}.run`, Uint8Array.of(tick))
  }
  const files = new Map<string, Uint8Array>()
  for (const name of await io.disk.list(folder)) files.set(name, io.disk.contentOf(`${folder}/${name}`))
  return files
}

function machineWith(files: ReadonlyMap<string, Uint8Array>): SimulatedIo {
  const io = simulatedIo(1)
  for (const [name, bytes] of files) io.disk.place(`${folder}/${name}`, bytes)
  return io
}

/** What happens when the folder is read: the tick that is served right, and what was said. */
async function read(io: SimulatedIo): Promise<{ readonly tick: number; readonly said: readonly string[] }> {
  const { newest, passedOver } = await openSnapshots(io, folder)
  const tick = newest?.tick ?? 0
  const said = [...passedOver]
  const store = new ColdRuns(io.disk, folder, newest?.files ?? [], { cacheBytes: 0 })
  for (const name of names) {
    const expected = states[tick][name]
    for (const ask of [() => lookUpAll(store, name).found, () => lookUp(store, name, [...expected.keys(), 5n])]) {
      try {
        expect(ask()).toEqual(withRows(expected))
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        expect(error.code).toBe('state/corrupt')
        said.push(error.message)
      }
    }
  }
  return { tick, said }
}

describe('a damaged file', () => {
  it('is whole to begin with', async () => {
    expect(await read(machineWith(await written()))).toEqual({ tick: 2, said: [] })
  })

  it('is named, whichever bit of it turned', async () => {
    const files = await written()
    let total = 0
    for (const [name, bytes] of files) {
      if (name.startsWith('view-')) continue
      for (let at = 0; at < bytes.length; at++) {
        const io = machineWith(files)
        io.disk.flipBit(`${folder}/${name}`, at, (at * 5) % 8)
        const { tick, said } = await read(io)
        const label = `${name}, byte ${at}`
        const old = name === manifestName(1)
        if (old) expect({ tick, said }, label).toEqual({ tick: 2, said: [] })
        else expect(said.join(), label).toContain(name)
        total++
      }
    }
    expect(total).toBeGreaterThan(1500)
  })

  it('is passed over, wherever it is cut', async () => {
    const files = await written()
    for (const [name, bytes] of files) {
      if (name.startsWith('view-') || name === manifestName(1)) continue
      for (let length = 0; length < bytes.length; length++) {
        const io = machineWith(new Map([...files, [name, bytes.subarray(0, length)]]))
        const { tick, said } = await read(io)
        expect(said.join(), `${name} cut at ${length}`).toContain(name)
        expect(tick, `${name} cut at ${length}`).toBe(name === 'run-0000000001.run' ? 0 : 1)
      }
    }
  })

  it('or one that the disk refuses to read, is read again, and then counts as damaged', async () => {
    for (const [refusals, said] of [
      [1, /^$/],
      [2, /run-000000000\d\.run.*it can't be read/],
    ] as const) {
      const io = machineWith(await written())
      let left = 0
      const disk: Disk = Object.create(io.disk, {
        openReader: {
          value: (path: string): DiskReader => {
            const reader = io.disk.openReader(path)
            return {
              size: reader.size,
              close: () => reader.close(),
              read: (into, position) => {
                if (left-- > 0) throw new IoError('failed', path)
                return reader.read(into, position)
              },
            }
          },
        },
      })
      const { newest } = await openSnapshots(io, folder)
      const store = new ColdRuns(disk, folder, newest?.files ?? [], { cacheBytes: 0 })
      left = refusals
      let failed = ''
      try {
        expect(lookUpAll(store, 'a').found).toEqual(withRows(states[2].a))
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        expect(error.code).toBe('state/corrupt')
        failed = error.message
      }
      expect(failed).toMatch(said)
    }
  })

  it('or one that is missing, passes the snapshots over that need it', async () => {
    const files = await written()
    const without = async (name: string) => read(machineWith(new Map([...files].filter(([other]) => other !== name))))
    expect((await without('run-0000000001.run')).tick).toBe(0)
    expect((await without('run-0000000002.run')).tick).toBe(1)
    expect((await without('view-1.run')).tick).toBe(2)
    expect(await without('view-2.run')).toEqual({
      tick: 1,
      said: ['the snapshot snapshot-000000000000002.json is passed over: d/state/view-2.run: missing'],
    })
    expect((await without(manifestName(2))).tick).toBe(1)
  })
})
