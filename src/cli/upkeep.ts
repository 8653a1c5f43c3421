import type { Command } from 'commander'
import { nodeIo } from '../io/node.ts'
import { verify } from './verify.ts'

/** Commands that look after a data folder. */
export function addUpkeep(program: Command, ends: (action: Promise<number>) => Promise<void>): void {
  program
    .command('verify')
    .description('check every byte of a data folder that no server has open')
    .option('--data <DIR>', 'where log and state are kept', '.millrace')
    .option('--full', 'also compare every event with its topic')
    .option('--json', 'print the findings as JSON')
    .action((flags: { data: string; full?: boolean; json?: boolean }) =>
      ends(verify(nodeIo(), { data: flags.data, full: flags.full ?? false, json: flags.json ?? false })),
    )
}
