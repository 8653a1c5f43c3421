import { Command, CommanderError, Help, InvalidArgumentError, Option } from 'commander'
import { MillraceError } from '../data/errors.ts'
import { version } from '../data/version.ts'
import type { Io } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { addGatewayFlags, type GatewayFlags } from './gateway-flags.ts'
import { addKeys } from './keys.ts'
import { actAs, type Format, formats, repeated } from './option-values.ts'
import { endWithReader } from './output.ts'
import { addProject } from './project.ts'
import { connect, connectBriefly, defaultPort, defaultUrl } from './remote.ts'
import { describeError, exitCodeOf } from './report.ts'
import type { Input } from './run.ts'
import type { TailFrom } from './tail.ts'
import { addUpkeep } from './upkeep.ts'
import { addWhy } from './why.ts'

const usageCode = 2
const interruptedCode = 130
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'silent']

/** Ends what serves or follows. */
const stop = new AbortController()
let interrupted = false

/** Each command's own modules are loaded when it runs: another one's would only slow its start. */
async function main(io: Io): Promise<number> {
  endWithReader()
  const program = new Command('millrace')
    .description('The embedded streaming database for TypeScript')
    .version(version, '-V, --version', 'print the version')
    // Of options that may be repeated the default is none, which needs no words.
    .configureHelp({
      optionDescription: (option) => new Help().optionDescription(option).replace(' (default: [])', ''),
    })
    .showHelpAfterError('(millrace --help lists what there is)')
    .exitOverride()
  let code = 0
  const ends: Ends = async (action) => {
    code = await action
  }
  addServe(program, io, ends)
  addRun(program, ends)
  addRemote(program, ends)
  addExplain(program, ends)
  addWhy(program, ends)
  addProject(program, ends)
  addUpkeep(program, ends)
  addKeys(program, ends)
  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? 0 : usageCode
  }
  return interrupted ? interruptedCode : code
}

type Ends = (action: Promise<number>) => Promise<void>

/** The first signal ends in good order, a second one at once. */
function listenToSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      interrupted ||= signal === 'SIGINT'
      if (stop.signal.aborted) process.exit(interrupted ? interruptedCode : 1)
      stop.abort()
    })
  }
}

function addServe(program: Command, io: Io, ends: Ends): void {
  const describe = { dev: 'run in one process and reload on save', start: 'run in one process, for production' }
  for (const name of ['dev', 'start'] as const) {
    const command = program.command(name).description(describe[name])
    addGatewayFlags(command)
      .argument('[app]', 'a .sql, .ts or .js file (default: millrace.ts or millrace.sql)')
      .option('--data <DIR>', 'where log and state are kept', '.millrace')
      .option('--port <N>', '0 picks a free one', portNumber, defaultPort)
      .option('--host <ADDRESS>', 'where to listen; beyond this machine only if you say so', '127.0.0.1')
      .option('--allow-host <NAME>', 'a name the server may be asked under; may be repeated', repeated, [])
      .option('--allow-origin <ORIGIN>', 'an origin whose pages may ask; may be repeated', repeated, [])
      .option('--memory <MIB>', 'the most memory the engine may use', positive)
      .option(
        '--snapshot-every <KIB>',
        'keep the state for a quick restart after so much log (default: 65536)',
        positive,
      )
      .option('--query-timeout <MS>', 'how long a query or an explanation may take (default: 30000)', positive)
      .addOption(new Option('--log-level <LEVEL>', 'what is logged on stderr').choices(logLevels).default('warn'))
      .action(async (app: string | undefined, flags: ServeFlags) => {
        listenToSignals()
        const { dev, start } = await import('./serve.ts')
        const options = {
          data: flags.data,
          host: flags.host,
          port: flags.port,
          allowedHosts: flags.allowHost,
          allowedOrigins: flags.allowOrigin,
          memoryBytes: flags.memory === undefined ? null : flags.memory * 1024 * 1024,
          snapshotBytes: flags.snapshotEvery === undefined ? null : flags.snapshotEvery * 1024,
          queryMs: flags.queryTimeout ?? null,
          logLevel: flags.logLevel,
          front: flags,
        }
        await ends((name === 'dev' ? dev : start)(io, app, options, stop.signal))
      })
  }
}

interface ServeFlags extends GatewayFlags {
  readonly data: string
  readonly port: number
  readonly host: string
  readonly allowHost: readonly string[]
  readonly allowOrigin: readonly string[]
  readonly memory?: number
  readonly snapshotEvery?: number
  readonly queryTimeout?: number
  readonly logLevel: string
}

function addRemote(program: Command, ends: Ends): void {
  const url = (): Option => new Option('--url <URL>', 'the running server').default(defaultUrl)
  program
    .command('append')
    .description('append a file of events to a topic of a running server')
    .argument('<topic>')
    .argument('[file]', '.ndjson, .json, .csv, .parquet, or - for NDJSON on standard input', '-')
    .addOption(url())
    .option('--json', 'print the answers')
    .action(async (topic: string, file: string, flags: { url: string; json?: boolean }) => {
      const { append } = await import('./append.ts')
      await ends(append(nodeIo(), connectBriefly(flags.url), topic, file, flags.json ?? false))
    })
  program
    .command('query')
    .description('run one SELECT on a running server')
    .argument('<sql>')
    .addOption(url())
    .option('--param <VALUE>', 'the value of $1, then of $2, …; may be repeated', repeated, [])
    .addOption(new Option('--format <FORMAT>', 'how rows are printed').choices(formats))
    .option('--json', 'the same as --format json')
    .addOption(new Option('--numbers <FORM>', 'bigint and numeric').choices(['exact', 'string']).default('exact'))
    .option('--as-of <TICK|TIME>', 'the answer as it was at a past tick or time')
    .option('--replay', 'where views no longer know it: read the log again up to there')
    .option('--live', 'the rows, then their changes, until interrupted: JSON lines as tail prints them')
    .addOption(actAs())
    .action(async (sql: string, flags: QueryCommandFlags) => {
      const format = flags.json ? 'json' : (flags.format ?? (process.stdout.isTTY ? 'table' : 'ndjson'))
      const { numbers, param: parameters, asOf = null, replay = false } = flags
      if (flags.live === true) {
        refuseBesideLive(flags)
        listenToSignals()
        const { clock } = nodeIo()
        const { followQuery } = await import('./tail.ts')
        return ends(followQuery(connect(flags.url, flags.as), clock, sql, { parameters, numbers }, stop.signal))
      }
      const { query } = await import('./query.ts')
      return ends(query(connectBriefly(flags.url, flags.as), sql, { format, numbers, parameters, asOf, replay }))
    })
  program
    .command('diff')
    .description('compare an app with what a server on this machine runs: which rows would differ')
    .argument('[app]', 'a .sql, .ts or .js file (default: millrace.ts or millrace.sql)')
    .addOption(url())
    .option('--rows <N>', 'differing rows listed per view', wholeNumber, 20)
    .option('--json', "print the server's answer")
    .action(
      async (
        app: string | undefined,
        { url: at, rows, json = false }: { url: string; rows: number; json?: boolean },
      ) => {
        // The server stops as well, when nobody waits.
        process.on('SIGINT', () => process.exit(interruptedCode))
        const { diff } = await import('./diff.ts')
        return ends(diff(nodeIo(), connect(at), app, { rows, json }))
      },
    )
  program
    .command('tail')
    .description('print a relation of a running server: its rows, then its changes, until interrupted')
    .argument('<relation>')
    .addOption(url())
    .option('--json', 'what it prints is JSON lines in any case')
    .option('--from-tick <N>', 'no rows first, but the changes after this tick', wholeNumber)
    .addOption(
      new Option('--from-offset <N>', 'a topic’s events from this offset on')
        .argParser(wholeNumber)
        .conflicts('fromTick'),
    )
    .action(async (relation: string, flags: TailFrom & { url: string }) => {
      listenToSignals()
      const { tail } = await import('./tail.ts')
      return ends(tail(connect(flags.url), nodeIo().clock, relation, flags, stop.signal))
    })
}

interface QueryCommandFlags {
  readonly url: string
  readonly param: readonly string[]
  readonly format?: Format
  readonly json?: boolean
  readonly numbers: 'exact' | 'string'
  readonly asOf?: string
  readonly replay?: boolean
  readonly live?: boolean
  readonly as?: string
}

/** @throws MillraceError usage */
function refuseBesideLive({ asOf, replay, format }: QueryCommandFlags): void {
  if (asOf !== undefined || replay === true) {
    throw new MillraceError('usage', '--live has no past', { hint: 'leave --as-of and --replay out' })
  }
  if (format === 'csv' || format === 'table') {
    throw new MillraceError('usage', `--live prints JSON lines, not ${format}`, { hint: 'leave --format out' })
  }
}

function addExplain(program: Command, ends: Ends): void {
  program
    .command('explain')
    .description('print how a view is computed')
    .argument('<app>', 'a .sql, .ts or .js file')
    .argument('<view>')
    .option('--json', 'the plans as JSON')
    .action(async (app: string, view: string, flags: { json?: boolean }) => {
      const { explain } = await import('./explain.ts')
      await ends(explain(nodeIo(), app, view, flags.json ?? false))
    })
}

function addRun(program: Command, ends: Ends): void {
  const inputs: Input[] = []
  program
    .command('run')
    .description('read all input to its end, close the windows, print the views')
    .argument('[app]', 'a .sql, .ts or .js file (default: millrace.ts or millrace.sql)')
    .option('--input <TOPIC=FILE>', 'append a file of one topic: .ndjson, .json, .csv, .parquet, or -', (text) => {
      const at = text.indexOf('=')
      if (at <= 0 || at === text.length - 1) throw new InvalidArgumentError('write TOPIC=FILE.')
      inputs.push({ kind: 'topic', topic: text.slice(0, at), path: text.slice(at + 1) })
    })
    .option('--events <FILE>', 'append NDJSON lines {"topic", "op"?, "data"}', (path) => {
      inputs.push({ kind: 'events', path })
    })
    .option('--tick <N>', 'events in a tick; it must not change the result', positive)
    .option('--view <NAME>', 'print this view alone; may be repeated', repeated, [])
    .addOption(new Option('--format <FORMAT>', 'how rows are printed').choices(formats).default('ndjson'))
    .option('--json', 'the same as --format json')
    .option('--data <DIR>', 'keep log and state here, and go on from there')
    .option('--now <TIME>', 'what now() is (default: the start)')
    .addOption(new Option('--numbers <FORM>', 'bigint and numeric').choices(['exact', 'string']).default('exact'))
    .action(async (app: string | undefined, flags: RunFlags) => {
      // The log is safe at every moment: there is nothing to wait for.
      process.on('SIGINT', () => process.exit(interruptedCode))
      const options = {
        inputs,
        tick: flags.tick ?? null,
        views: flags.view,
        format: flags.json ? 'json' : flags.format,
        data: flags.data ?? null,
        now: flags.now ?? null,
        numbers: flags.numbers,
      } as const
      const { run } = await import('./run.ts')
      return ends(run(nodeIo(), app, options))
    })
}

interface RunFlags {
  readonly tick?: number
  readonly view: readonly string[]
  readonly format: Format
  readonly json?: boolean
  readonly data?: string
  readonly now?: string
  readonly numbers: 'exact' | 'string'
}

function portNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 65535) throw new InvalidArgumentError('it is a number from 0 to 65535.')
  return value
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('it is a whole number from 0.')
  return value
}

function positive(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('it is a whole number from 1.')
  }
  return value
}

/**
 * Runs the command that the process was started with, and ends it.
 * @param io where an engine's thread may have been prepared
 */
export function runCommand(io: Io): void {
  main(io).then(
    (code) => process.exit(code),
    (error) => process.stderr.write(describeError(error), () => process.exit(exitCodeOf(error))),
  )
}
