import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DiskLock } from './io.ts'

/**
 * An exclusive lock without flock, which Node lacks. Whoever wants it puts down a claim: a file of its own name that
 * says which process it is. It then looks at all other claims, removes those of dead processes, and withdraws when
 * one is alive. Of two that run at once, the one that looks last sees the other's claim, so never both hold the
 * lock (both may withdraw). A claim's name is never used again, so removing a dead one can't hit a live one.
 *
 * @returns null when another process, or this one, holds the lock
 */
export async function lockPath(lock: string): Promise<DiskLock | null> {
  const folder = path.dirname(lock)
  const prefix = `${path.basename(lock)}.`
  const mine = `${prefix}${process.pid}-${randomBytes(6).toString('hex')}`
  const claim = path.join(folder, mine)
  await putDown(claim)
  for (const name of await fs.readdir(folder)) {
    if (!name.startsWith(prefix) || name === mine || name.endsWith(unfinished)) continue
    const other = path.join(folder, name)
    if (await alive(other)) {
      await fs.rm(claim, { force: true })
      return null
    }
    await fs.rm(other, { force: true })
  }
  const beat = setInterval(() => {
    const now = new Date()
    fs.utimes(claim, now, now).catch(() => {})
  }, beatMs)
  beat.unref()
  return {
    async release() {
      clearInterval(beat)
      await fs.rm(claim, { force: true })
    },
  }
}

const unfinished = '.new'
/** How often a claim shows that its process lives, for those who can't see the process itself. */
const beatMs = 2_000
const silenceMs = 10_000

interface Owner {
  readonly pid: number
  /** When the process started, in ticks since boot: pids are used again. Empty where there is no /proc. */
  readonly started: string
  readonly boot: string
  /** The namespace in which the pid means something: containers may share the folder. */
  readonly namespace: string
}

async function putDown(claim: string): Promise<void> {
  const owner: Owner = {
    pid: process.pid,
    started: await startOf(process.pid),
    boot: await bootId(),
    namespace: await namespaceId(),
  }
  // A rename makes the name and its content appear together.
  await fs.writeFile(claim + unfinished, JSON.stringify(owner), { flag: 'wx' })
  await fs.rename(claim + unfinished, claim)
}

async function alive(claim: string): Promise<boolean> {
  let owner: Owner
  try {
    owner = JSON.parse(await fs.readFile(claim, 'utf8')) as Owner
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    // Not durable when the machine stopped: its writer is gone with it.
    if (error instanceof SyntaxError) return false
    throw error
  }
  if (owner.boot !== (await bootId())) return false
  if (owner.namespace !== (await namespaceId())) return beats(claim)
  if (owner.started !== '') return owner.started === (await startOf(owner.pid))
  try {
    process.kill(owner.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A process of another container can't be asked; but one that lives touches its claim. */
async function beats(claim: string): Promise<boolean> {
  const before = await modified(claim)
  for (let waited = 0; waited < silenceMs; waited += beatMs / 4) {
    await sleep(beatMs / 4)
    const now = await modified(claim)
    if (now === null) return false
    if (now !== before) return true
  }
  return false
}

async function modified(file: string): Promise<number | null> {
  try {
    return (await fs.stat(file)).mtimeMs
  } catch {
    return null
  }
}

/** @returns the process's start, or '' when no such process runs or there is no /proc */
async function startOf(pid: number): Promise<string> {
  const stat = await readOr(`/proc/${pid}/stat`)
  // The command's name, in brackets, may itself hold brackets and blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ended = fields[0] === 'Z' || fields[0] === 'X'
  return ended ? '' : (fields[19] ?? '')
}

async function bootId(): Promise<string> {
  return (await readOr('/proc/sys/kernel/random/boot_id')).trim()
}

async function namespaceId(): Promise<string> {
  try {
    return await fs.readlink('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

async function readOr(file: string): Promise<string> {
  try {
    return await fs.readFile(file, 'utf8')
  } catch {
    return ''
  }
}
