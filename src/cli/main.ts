#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { version } from '../data/version.ts'
import { nodeIo } from '../io/node.ts'
import { endWithReader } from './output.ts'
import { type Format, formats } from './print-views.ts'
import { describeError, exitCodeOf } from './report.ts'
import { type Input, run } from './run.ts'

const usageCode = 2

function main(): Promise<number> {
  endWithReader()
  const program = new Command('millrace')
    .description('The embedded streaming database for TypeScript')
    .version(version, '-V, --version', 'print the version')
    .showHelpAfterError('(millrace --help lists what there is)')
    .exitOverride()
  let code = 0
  const ends = (action: Promise<number>): Promise<void> => action.then((ended) => void (code = ended))
  addRun(program, ends)
  return program.parseAsync().then(
    () => code,
    (error) => {
      if (!(error instanceof CommanderError)) throw error
      return error.exitCode === 0 ? 0 : usageCode
    },
  )
}

function addRun(program: Command, ends: (action: Promise<number>) => Promise<void>): void {
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
    .option('--view <NAME>', 'print this view alone; may be repeated', (name, names: string[]) => [...names, name], [])
    .addOption(new Option('--format <FORMAT>', 'how rows are printed').choices(formats).default('ndjson'))
    .option('--json', 'the same as --format json')
    .option('--data <DIR>', 'keep log and state here, and go on from there')
    .option('--now <TIME>', 'what now() is (default: the start)')
    .addOption(new Option('--numbers <FORM>', 'bigint and numeric').choices(['exact', 'string']).default('exact'))
    .action((app: string | undefined, flags: RunFlags) =>
      ends(
        run(nodeIo(), app, {
          inputs,
          tick: flags.tick ?? null,
          views: flags.view,
          format: flags.json ? 'json' : flags.format,
          data: flags.data ?? null,
          now: flags.now ?? null,
          numbers: flags.numbers,
        }),
      ),
    )
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

function positive(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('it is a whole number from 1.')
  }
  return value
}

main().then(
  (code) => process.exit(code),
  (error) => process.stderr.write(describeError(error), () => process.exit(exitCodeOf(error))),
)
