import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { getPriority, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IoError, type ThreadPort } from './io.ts'
import { nodeIo } from './node.ts'
import { NodeThreads } from './node-threads.ts'

const io = nodeIo()
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-io-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(IoError)
  return (error as IoError).failure
}

describe('the disk', () => {
  it('writes anywhere, reads back, and reads less only at the end', async () => {
    const file = await io.disk.open(`${folder}/a`, { create: true })
    await file.write(Uint8Array.of(1, 2, 3), 5)
    await file.sync()
    const into = new Uint8Array(10)
    expect(await file.read(into, 4)).toBe(4)
    expect([...into.subarray(0, 4)]).toEqual([0, 1, 2, 3])
    expect(await file.size()).toBe(8)
    await file.truncate(6)
    expect(await file.size()).toBe(6)
    await file.close()
  })

  it('keeps what is there when it opens with create', async () => {
    for (const size of [0, 4]) {
      const file = await io.disk.open(`${folder}/kept`, { create: true })
      expect(await file.size()).toBe(size)
      await file.write(new Uint8Array(4), 0)
      await file.close()
    }
  })

  it('makes, lists, renames and removes', async () => {
    await io.disk.makeFolder(`${folder}/x/y/z`)
    for (const name of ['b', 'a']) await (await io.disk.open(`${folder}/x/y/z/${name}`, { create: true })).close()
    await io.disk.syncFolder(`${folder}/x/y/z`)
    expect(await io.disk.list(`${folder}/x/y/z`)).toEqual(['a', 'b'])
    await io.disk.rename(`${folder}/x/y/z/a`, `${folder}/x/y/z/c`)
    await io.disk.remove(`${folder}/x/y/z/b`)
    expect(await io.disk.list(`${folder}/x/y/z`)).toEqual(['c'])
    expect(await io.disk.list(`${folder}/none`)).toEqual([])
  })

  it('reads at once, on after the name was removed', async () => {
    await writeFile(`${folder}/read`, Uint8Array.of(1, 2, 3, 4, 5))
    const reader = io.disk.openReader(`${folder}/read`)
    await io.disk.remove(`${folder}/read`)
    const into = new Uint8Array(4)
    expect([reader.size, reader.read(into, 2), ...into]).toEqual([5, 3, 3, 4, 5, 0])
    reader.close()
    expect(() => io.disk.openReader(`${folder}/read`)).toThrow(IoError)
  })

  it('tells how much is in a folder, and how much room its disk has', async () => {
    await io.disk.makeFolder(`${folder}/used/below`)
    await writeFile(`${folder}/used/a`, new Uint8Array(1000))
    await writeFile(`${folder}/used/below/b`, new Uint8Array(234))
    expect(await io.disk.bytesIn(`${folder}/used`)).toBe(1234)
    expect(await io.disk.bytesIn(`${folder}/none`)).toBe(0)
    const space = await io.disk.space(folder)
    expect(space!.freeBytes).toBeLessThanOrEqual(space!.totalBytes)
    expect(space!.totalBytes).toBeGreaterThan(0)
    expect(await io.disk.space(`${folder}/none`)).toBeNull()
  })

  it('names failures', async () => {
    expect(await failureOf(io.disk.open(`${folder}/none`))).toBe('missing')
    expect(await failureOf(io.disk.remove(`${folder}/none`))).toBe('missing')
  })

  it.runIf(process.platform === 'linux')('says when the disk is full', async () => {
    const full = await io.disk.open('/dev/full')
    expect(await failureOf(full.write(new Uint8Array(8), 0))).toBe('full')
    await full.close()
  })
})

describe('the lock', () => {
  it('is held once, also within a process, and can be taken again after release', async () => {
    const lock = await io.disk.lock(`${folder}/lock`)
    expect(lock).not.toBeNull()
    expect(await io.disk.lock(`${folder}/lock`)).toBeNull()
    expect(await nodeIo().disk.lock(`${folder}/lock`)).toBeNull()
    await lock!.release()
    const again = await io.disk.lock(`${folder}/lock`)
    expect(again).not.toBeNull()
    await again!.release()
    expect((await readdir(folder)).filter((name) => name.startsWith('lock'))).toEqual([])
  })

  it('never goes to two of many at once', async () => {
    const taken = await Promise.all(Array.from({ length: 20 }, () => io.disk.lock(`${folder}/many`)))
    const held = taken.filter((lock) => lock !== null)
    expect(held.length).toBeLessThanOrEqual(1)
    for (const lock of held) await lock.release()
  })

  it('ends with a process that is killed', async () => {
    const node = fileURLToPath(new URL('./node-lock.ts', import.meta.url))
    const program = `
      import { lockPath } from ${JSON.stringify(node)}
      const lock = await lockPath(${JSON.stringify(`${folder}/killed`)})
      console.log(lock === null ? 'refused' : 'held')
      setInterval(() => {}, 1000)`
    await writeFile(`${folder}/holder.mts`, program)
    const child = spawn(process.execPath, ['--import', 'tsx', `${folder}/holder.mts`], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    const said = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data))))
    expect(said.trim()).toBe('held')
    expect(await io.disk.lock(`${folder}/killed`)).toBeNull()
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    const lock = await io.disk.lock(`${folder}/killed`)
    expect(lock).not.toBeNull()
    await lock!.release()
  })

  it('takes over a claim that the machine left unfinished when it stopped', async () => {
    await writeFile(`${folder}/torn.1-aa`, '{"pid":')
    const lock = await io.disk.lock(`${folder}/torn`)
    expect(lock).not.toBeNull()
    await lock!.release()
  })
})

describe('the clock', () => {
  it('tells microseconds since 1970 and never goes back by itself', () => {
    const before = Date.now()
    let last = io.clock.nowMicros()
    // It may be two milliseconds off: it goes by the steady clock while the two agree.
    expect(Number(last / 1000n)).toBeGreaterThanOrEqual(before - 3)
    expect(Number(last / 1000n)).toBeLessThanOrEqual(Date.now() + 3)
    for (let i = 0; i < 1000; i++) {
      const now = io.clock.nowMicros()
      expect(now - last).toBeGreaterThan(-2_000n)
      last = now
    }
  })

  it('runs a task once, not early, unless cancelled', async () => {
    const start = io.clock.monotonicMs()
    let runs = 0
    const cancel = io.clock.after(5, () => runs++)
    cancel()
    await new Promise<void>((resolve) => io.clock.after(20, resolve))
    expect(io.clock.monotonicMs() - start).toBeGreaterThanOrEqual(20)
    expect(runs).toBe(0)
    // Node's own timers fire at once when asked to wait so long.
    io.clock.after(2 ** 40, () => runs++)()
    let far = false
    const forget = io.clock.after(2 ** 33, () => {
      far = true
    })
    await new Promise<void>((resolve) => io.clock.after(5, resolve))
    expect(far).toBe(false)
    forget()
  })
})

it('random bytes differ', () => {
  expect(io.random.bytes(16)).toHaveLength(16)
  expect(io.random.bytes(16)).not.toEqual(io.random.bytes(16))
})

describe('a thread in the background', () => {
  it.runIf(process.platform === 'linux')('leaves others the cores, and only itself has less of them', async () => {
    const before = await nices()
    const threads = new NodeThreads()
    const port = await new Promise<ThreadPort>((resolve, reject) => {
      const started = threads.start('keeper', () => resolve(started), reject)
      started.post({ kind: 'begin' })
    })
    const now = await nices()
    await port.stop()
    const lower = Math.min(19, getPriority() + 5)
    const count = (all: readonly number[]): number => all.filter((nice) => nice === lower).length
    // Whatever runs in this process besides; at the lowest priority there is none below it.
    expect(count(now) - count(before)).toBe(lower === getPriority() ? now.length - before.length : 1)
  })
})

/** How nice each thread of this process is. */
async function nices(): Promise<number[]> {
  const found: number[] = []
  for (const thread of await readdir('/proc/self/task')) {
    // One may end while the others are looked at. Behind the name, which may have blanks, it is the 17th.
    const told = await readFile(`/proc/self/task/${thread}/stat`, 'latin1').catch(() => null)
    if (told !== null) found.push(Number(told.slice(told.lastIndexOf(')') + 2).split(' ')[16]))
  }
  return found
}

describe('a thread that was prepared', () => {
  it('is the one that is started, and holds nobody up when it is not', async () => {
    const threads = new NodeThreads()
    threads.prepare('keeper')
    threads.prepare('keeper')
    const first = await new Promise<unknown>((resolve, reject) => {
      const port = threads.start('keeper', (message) => resolve([message, port]), reject)
      port.post({ kind: 'begin' })
    })
    // The keeper refuses what comes before its folder is opened: it is there, and answers.
    expect(first).toMatchObject([{ kind: 'refused' }, {}])
    await (first as [unknown, ThreadPort])[1].stop()
    const program = `
      import { NodeThreads } from ${JSON.stringify(pathToFileURL(path.resolve('dist/modules/io/node-threads.js')).href)}
      new NodeThreads().prepare('engine')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' })
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0)
  })
})
