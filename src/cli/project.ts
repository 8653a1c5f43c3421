import { Argument, type Command, Option } from 'commander'
import { nodeIo } from '../io/node.ts'
import { type Language, languages, type Shell, shells } from './option-values.ts'
import { writeOut } from './output.ts'
import { defaultUrl } from './remote.ts'

/** Commands for the folder in which somebody works on an app. */
export function addProject(program: Command, ends: (action: Promise<number>) => Promise<void>): void {
  program
    .command('init')
    .description('begin an app: definitions that run at once, and events for them')
    .argument('[folder]', 'where; it must be empty or not there yet (default: here)')
    .addOption(new Option('--language <LANGUAGE>', 'what it is written in').choices(languages))
    .option('--json', 'print what was made')
    .action(async (folder: string | undefined, { language, json = false }: { language?: Language; json?: boolean }) => {
      const { init } = await import('./init.ts')
      await ends(init(nodeIo(), folder, { language: language ?? null, json }))
    })
  program
    .command('doctor')
    .description('look at this machine, the app, its data and its server, and say what is wrong')
    .argument('[app]', 'a .sql, .ts or .js file (default: millrace.ts or millrace.sql)')
    .option('--data <DIR>', 'where log and state are kept', '.millrace')
    .addOption(new Option('--url <URL>', 'the running server').default(defaultUrl))
    .option('--json', 'print the findings as JSON')
    .action(
      async (app: string | undefined, { data, url, json = false }: { data: string; url: string; json?: boolean }) => {
        const { doctor } = await import('./doctor.ts')
        await ends(doctor(nodeIo(), app, { data, url, json }))
      },
    )
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>').choices(shells))
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./completion.ts')
      await ends(writeOut(completionScript(program, shell)).then(() => 0))
    })
  program
    .command('generate')
    .description("write the TypeScript types of an app's rows; dev does so on save")
    .argument('[app]', 'a .sql, .ts or .js file (default: millrace.ts or millrace.sql)')
    .option('--out <FILE>', 'where to (default: millrace.gen.ts beside the app)')
    .option('--check', 'write nothing, and fail if the file is not up to date')
    .action(async (app: string | undefined, { out, check = false }: { out?: string; check?: boolean }) => {
      const { generate } = await import('./generate.ts')
      await ends(generate(nodeIo(), app, { out: out ?? null, check }))
    })
}
