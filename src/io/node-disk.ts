import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import fs from 'node:fs/promises'
import path from 'node:path'
import type { Disk, DiskFile, DiskLock, DiskReader, DiskSpace, IoFailure, OpenOptions } from './io.ts'
import { IoError } from './io.ts'
import { lockPath } from './node-lock.ts'

/** Node's file system. Folders are synced by opening them, which Linux and macOS allow. */
export class NodeDisk implements Disk {
  async open(file: string, options: OpenOptions = {}): Promise<DiskFile> {
    const handle = await naming(file, openFile(file, options))
    const opened = new NodeFile(file, handle)
    if (options.readOnly === true) forgotten.register(opened, handle, handle)
    return opened
  }

  async list(folder: string): Promise<readonly string[]> {
    try {
      return (await fs.readdir(folder)).sort()
    } catch (error) {
      const failure = ioError(folder, error)
      if (failure.failure === 'missing') return []
      throw failure
    }
  }

  async makeFolder(folder: string): Promise<void> {
    const first = await naming(folder, fs.mkdir(folder, { recursive: true }))
    if (first === undefined) return
    // Each new folder is a new name in its parent.
    const top = path.dirname(path.resolve(first))
    for (let parent = path.dirname(path.resolve(folder)); ; parent = path.dirname(parent)) {
      await this.syncFolder(parent)
      if (parent === top || parent === path.dirname(parent)) return
    }
  }

  async remove(file: string): Promise<void> {
    await naming(file, fs.unlink(file))
  }

  async rename(from: string, to: string): Promise<void> {
    await naming(from, fs.rename(from, to))
  }

  async syncFolder(folder: string): Promise<void> {
    // Windows can't open folders; its file systems log names on their own.
    if (process.platform === 'win32') return
    const handle = await naming(folder, fs.open(folder, 'r'))
    try {
      await naming(folder, handle.sync())
    } finally {
      await handle.close()
    }
  }

  async lock(file: string): Promise<DiskLock | null> {
    return naming(file, lockPath(file))
  }

  openReader(file: string): DiskReader {
    return new NodeReader(file)
  }

  async bytesIn(folder: string): Promise<number> {
    const entries = await naming(folder, fs.readdir(folder, { withFileTypes: true })).catch(orMissing([]))
    let sum = 0
    for (const entry of entries) {
      const file = path.join(folder, entry.name)
      if (entry.isDirectory()) sum += await this.bytesIn(file)
      // One may go while the others are looked at.
      else if (entry.isFile()) sum += (await naming(file, fs.stat(file)).catch(orMissing({ size: 0 }))).size
    }
    return sum
  }

  async space(folder: string): Promise<DiskSpace | null> {
    try {
      const { bavail, blocks, bsize } = await fs.statfs(folder)
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
    } catch {
      return null
    }
  }
}

function orMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof IoError && error.failure === 'missing') return value
    throw error
  }
}

async function openFile(file: string, options: OpenOptions) {
  if (options.readOnly === true) return fs.open(file, 'r')
  if (options.create === 'new') return fs.open(file, 'wx+')
  try {
    return await fs.open(file, 'r+')
  } catch (error) {
    if (options.create !== true || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return fs.open(file, 'wx+')
  }
}

/** Up to so many bytes a write only fills the system's cache: handing it to another thread would take longer. */
const writtenAtOnce = 16 * 1024

/** Files that were opened for reading and that nobody holds any more are closed. */
const forgotten = new FinalizationRegistry<FileHandle>((handle) => {
  handle.close().catch(() => {})
})

class NodeFile implements DiskFile {
  readonly #path: string
  readonly #handle: FileHandle

  constructor(file: string, handle: FileHandle) {
    this.#path = file
    this.#handle = handle
  }

  async size(): Promise<number> {
    return (await naming(this.#path, this.#handle.stat())).size
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0
    while (done < into.byteLength) {
      const { bytesRead } = await naming(
        this.#path,
        this.#handle.read(into, done, into.byteLength - done, position + done),
      )
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0
    if (bytes.byteLength <= writtenAtOnce) {
      done = namingNow(this.#path, () => writeSync(this.#handle.fd, bytes, 0, bytes.byteLength, position))
    }
    while (done < bytes.byteLength) {
      const { bytesWritten } = await naming(
        this.#path,
        this.#handle.write(bytes, done, bytes.byteLength - done, position + done),
      )
      done += bytesWritten
    }
  }

  async sync(): Promise<void> {
    await naming(this.#path, this.#handle.datasync())
  }

  async truncate(length: number): Promise<void> {
    await naming(this.#path, this.#handle.truncate(length))
  }

  async close(): Promise<void> {
    forgotten.unregister(this.#handle)
    await naming(this.#path, this.#handle.close())
  }
}

class NodeReader implements DiskReader {
  readonly size: number
  readonly #path: string
  readonly #descriptor: number

  constructor(file: string) {
    this.#path = file
    this.#descriptor = namingNow(file, () => openSync(file, 'r'))
    this.size = namingNow(file, () => fstatSync(this.#descriptor).size)
  }

  read(into: Uint8Array, position: number): number {
    let done = 0
    while (done < into.byteLength) {
      const left = into.byteLength - done
      const count = namingNow(this.#path, () => readSync(this.#descriptor, into, done, left, position + done))
      if (count === 0) break
      done += count
    }
    return done
  }

  close(): void {
    namingNow(this.#path, () => closeSync(this.#descriptor))
  }
}

function namingNow<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw ioError(file, error)
  }
}

async function naming<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw ioError(file, error)
  }
}

const failures: Readonly<Record<string, IoFailure>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EEXIST: 'exists',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
}

function ioError(file: string, error: unknown): IoError {
  if (error instanceof IoError) return error
  return new IoError(failures[(error as NodeJS.ErrnoException).code ?? ''] ?? 'failed', file, error)
}
