import type { Command } from 'commander'
import { nodeIo } from '../io/node.ts'
import { generate } from './generate.ts'

/** Commands for the folder in which somebody works on an app. */
export function addProject(program: Command, ends: (action: Promise<number>) => Promise<void>): void {
  program
    .command('generate')
    .description("write the TypeScript types of an app's rows; dev does so on save")
    .argument('[app]', 'a .sql, .ts or .js file (default: millrace.ts or millrace.sql)')
    .option('--out <FILE>', 'where to (default: millrace.gen.ts beside the app)')
    .option('--check', 'write nothing, and fail if the file is not up to date')
    .action((app: string | undefined, { out, check = false }: { out?: string; check?: boolean }) =>
      ends(generate(nodeIo(), app, { out: out ?? null, check })),
    )
}
