import { type Command, InvalidArgumentError, Option } from 'commander'
import { nodeIo } from '../io/node.ts'
import { say, writeOut } from './output.ts'

interface CreateFlags {
  readonly file: string
  readonly role: string
  readonly claim: Readonly<Record<string, string>>
  readonly expires?: string
  readonly json?: boolean
}

/** Commands that make and revoke API keys. */
export function addKeys(program: Command, ends: (action: Promise<number>) => Promise<void>): void {
  const key = program.command('key').description('make, list and revoke API keys')
  const file = (): Option =>
    new Option('--file <FILE>', "the gateway's auth.apiKeys.file").default('millrace-keys.json')
  key
    .command('create')
    .description('make a key: it is shown once, and only its hash is kept')
    .argument('<name>', 'whom it is for')
    .requiredOption('--role <ROLE>', "one of the gateway's roles")
    .option('--claim <NAME=VALUE>', 'what policies may ask for; may be repeated', claims, {})
    .option('--expires <TIME>', 'from when on it opens nothing, such as 2027-01-31 (default: never)', timeOf)
    .addOption(file())
    .option('--json', 'print the key with its id as JSON')
    .action((name: string, flags: CreateFlags) => ends(create(name, flags)))
  key
    .command('list')
    .description('list keys, without what they open')
    .addOption(file())
    .option('--json', 'print them as JSON')
    .action(({ file: path, json = false }: { file: string; json?: boolean }) => ends(list(path, json)))
  key
    .command('revoke')
    .description('refuse a key from now on')
    .argument('<key>', 'its id or name')
    .addOption(file())
    .action((named: string, { file: path }: { file: string }) => ends(revoke(path, named)))
}

async function create(name: string, { file, role, claim, expires, json = false }: CreateFlags): Promise<number> {
  const until = expires === undefined ? {} : { expires }
  const { createKey } = await import('../server/api-keys.ts')
  const { key, stored } = await createKey(nodeIo(), file, { name, role, claims: claim, ...until })
  if (json) await writeOut(`${JSON.stringify({ id: stored.id, name, role, claims: claim, ...until, key })}\n`)
  else {
    say(`key ${stored.id} for ${name}, role ${role}: keep it, it can't be shown again`)
    await writeOut(`${key}\n`)
  }
  return 0
}

async function list(path: string, json: boolean): Promise<number> {
  const { readKeys } = await import('../server/api-keys.ts')
  const keys = (await readKeys(nodeIo().disk, path)).map(({ hash: _, ...shown }) => shown)
  if (json) await writeOut(`${JSON.stringify(keys)}\n`)
  else {
    const lines = keys.map(({ id, name, role, claims: own, created, revoked, expires }) => {
      const ends = revoked !== undefined ? `revoked ${revoked}` : expires !== undefined ? `until ${expires}` : ''
      return [id, name, role, JSON.stringify(own), created, ends].join('  ')
    })
    await writeOut(lines.map((line) => `${line.trimEnd()}\n`).join(''))
  }
  return 0
}

async function revoke(path: string, named: string): Promise<number> {
  const { revokeKey } = await import('../server/api-keys.ts')
  const { id, name } = await revokeKey(nodeIo(), path, named)
  say(`key ${id} of ${name} is revoked`)
  return 0
}

function timeOf(text: string): string {
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw new InvalidArgumentError('write it as 2027-01-31 or 2027-01-31T12:00:00Z.')
  return new Date(time).toISOString()
}

function claims(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at <= 0) throw new InvalidArgumentError('write NAME=VALUE.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}
