import { MillraceError } from '../data/errors.ts'
import { hex } from '../data/hex.ts'
import { sameBytes, sha256 } from '../io/digest.ts'
import { type Clock, type Disk, IoError, type Random } from '../io/io.ts'
import { readWholeText } from '../io/whole-file.ts'

/**
 * API keys: `mlr_ID_SECRET`, the secret 256 random bits. The file holds a hash of it: who reads the file can't ask with
 * it, and a plain SHA-256 will do, as nobody can try 2^256 secrets.
 */
export interface StoredKey {
  /** Stands in the key itself, so that a key that turns up somewhere can be told and revoked. */
  readonly id: string
  readonly name: string
  readonly role: string
  readonly claims: Readonly<Record<string, unknown>>
  /** SHA-256 of the secret, in hex. */
  readonly hash: string
  /** ISO 8601. */
  readonly created: string
  readonly revoked?: string
  /** From then on it opens nothing. */
  readonly expires?: string
}

export interface NewKey {
  readonly name: string
  readonly role: string
  readonly claims: Readonly<Record<string, unknown>>
  /** ISO 8601; absent: good until it is revoked. */
  readonly expires?: string
}

const keyPattern = /^mlr_([0-9a-f]{12})_([0-9a-f]{64})$/
/** A file that was changed is seen after so long at most. */
const freshMs = 1000
const nothing = new Uint8Array(32)

/** Whether a bearer's text is an API key, well or badly made. */
export function looksLikeKey(text: string): boolean {
  return text.startsWith('mlr_')
}

/** The keys of a file, read again when it was changed. */
export class ApiKeys {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #path: string
  #keys: ReadonlyMap<string, StoredKey> = new Map()
  #readAtMs = Number.NEGATIVE_INFINITY

  constructor(disk: Disk, clock: Clock, path: string) {
    this.#disk = disk
    this.#clock = clock
    this.#path = path
  }

  /** The key that a text is, if it is one and still good. Takes as long for any secret. */
  async find(text: string): Promise<StoredKey | null> {
    const [, id, secret] = keyPattern.exec(text) ?? []
    if (id === undefined) return null
    await this.#refresh()
    const key = this.#keys.get(id)
    const same = sameBytes(key === undefined ? nothing : bytesOf(key.hash), sha256(new TextEncoder().encode(secret)))
    return same && key !== undefined && this.#isGood(key) ? key : null
  }

  /** The key with this id, if it is still good. */
  async byId(id: string): Promise<StoredKey | null> {
    await this.#refresh()
    const key = this.#keys.get(id)
    return key !== undefined && this.#isGood(key) ? key : null
  }

  #isGood({ revoked, expires }: StoredKey): boolean {
    if (revoked !== undefined) return false
    return expires === undefined || Number(this.#clock.nowMicros() / 1000n) < Date.parse(expires)
  }

  async #refresh(): Promise<void> {
    const now = this.#clock.monotonicMs()
    if (now - this.#readAtMs < freshMs) return
    const keys = await this.#read()
    this.#keys = new Map(keys.map((key) => [key.id, key]))
    this.#readAtMs = now
  }

  /** @throws MillraceError auth/unavailable: who asks learns nothing of files */
  async #read(): Promise<readonly StoredKey[]> {
    try {
      return await readKeys(this.#disk, this.#path)
    } catch (cause) {
      const what = 'the file of keys cannot be read'
      throw new MillraceError('auth/unavailable', what, { hint: 'ask again in a while', cause })
    }
  }
}

/** @returns no keys where there is no file @throws MillraceError app/load for a file that holds something else */
export async function readKeys(disk: Disk, path: string): Promise<readonly StoredKey[]> {
  let text: string
  try {
    text = await readWholeText(disk, path)
  } catch (error) {
    if (error instanceof IoError && error.failure === 'missing') return []
    throw new MillraceError('app/load', `cannot read the keys in ${path}`, { place: { file: path }, cause: error })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  const keys = (value as { readonly keys?: unknown } | null)?.keys
  if (Array.isArray(keys) && keys.every(isKey)) return keys
  throw new MillraceError('app/load', `${path} is no file of keys`, {
    place: { file: path },
    hint: 'have it made by `millrace key create`',
  })
}

/** Makes a key and notes its hash. @returns the key itself: it can't be shown again */
export async function createKey(
  io: { readonly disk: Disk; readonly clock: Clock; readonly random: Random },
  path: string,
  made: NewKey,
): Promise<{ readonly key: string; readonly stored: StoredKey }> {
  const id = hex(io.random.bytes(6))
  const secret = hex(io.random.bytes(32))
  const hash = hex(sha256(new TextEncoder().encode(secret)))
  const stored: StoredKey = { id, ...made, hash, created: isoNow(io.clock) }
  await writeKeys(io.disk, path, [...(await readKeys(io.disk, path)), stored])
  return { key: `mlr_${id}_${secret}`, stored }
}

/** @param named a key's id, or its name where only one has it @throws MillraceError usage */
export async function revokeKey(
  { disk, clock }: { readonly disk: Disk; readonly clock: Clock },
  path: string,
  named: string,
): Promise<StoredKey> {
  const keys = await readKeys(disk, path)
  const found = keys.filter(({ id, name, revoked }) => revoked === undefined && (id === named || name === named))
  if (found.length !== 1) {
    const what = found.length === 0 ? `no key is called ${named}` : `${found.length} keys are called ${named}`
    throw new MillraceError('usage', what, { hint: '`millrace key list` shows their ids' })
  }
  const revoked = { ...found[0], revoked: isoNow(clock) }
  await writeKeys(
    disk,
    path,
    keys.map((key) => (key === found[0] ? revoked : key)),
  )
  return revoked
}

/** Written whole under another name first: a server that reads meanwhile sees the old keys or the new ones. */
async function writeKeys(disk: Disk, path: string, keys: readonly StoredKey[]): Promise<void> {
  const beside = `${path}.new`
  await disk.remove(beside).catch(() => {})
  const file = await disk.open(beside, { create: 'new' })
  try {
    await file.write(new TextEncoder().encode(`${JSON.stringify({ keys }, null, 2)}\n`), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(beside, path)
  await disk.syncFolder(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) || '/' : '.')
}

function isKey(value: unknown): value is StoredKey {
  const { id, name, role, claims, hash, expires } = (value ?? {}) as Partial<StoredKey>
  if (expires !== undefined && Number.isNaN(Date.parse(expires))) return false
  const isObject = typeof claims === 'object' && claims !== null
  return [id, name, role].every((text) => typeof text === 'string') && isObject && /^[0-9a-f]{64}$/.test(hash ?? '')
}

function isoNow(clock: Clock): string {
  return new Date(Number(clock.nowMicros() / 1000n)).toISOString()
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(i * 2, i * 2 + 2), 16))
}
