import { type Command, Option } from 'commander'
import { nodeIo } from '../io/node.ts'
import { connect, defaultUrl } from './remote.ts'

/** Commands that look after a data folder. */
export function addUpkeep(program: Command, ends: (action: Promise<number>) => Promise<void>): void {
  program
    .command('verify')
    .description('check every byte of a data folder that no server has open')
    .option('--data <DIR>', 'where log and state are kept', '.millrace')
    .option('--full', 'also compare every event with its topic, and every snapshot with a replay')
    .option('--json', 'print the findings as JSON')
    .action(async (flags: { data: string; full?: boolean; json?: boolean }) => {
      const { verify } = await import('./verify.ts')
      await ends(verify(nodeIo(), { data: flags.data, full: flags.full ?? false, json: flags.json ?? false }))
    })
  program
    .command('backup')
    .description('copy all data up to now into an empty folder, while the server goes on')
    .argument('<folder>')
    .addOption(new Option('--url <URL>', 'the running server, on this machine').default(defaultUrl))
    .option('--data <DIR>', 'copy a data folder that no server has open')
    .option('--json', 'print the outcome as JSON')
    .action(async (folder: string, { url, data, json = false }: { url: string; data?: string; json?: boolean }) => {
      const { backupFolder, backupServer } = await import('./backup.ts')
      await ends(
        data === undefined
          ? backupServer(nodeIo(), connect(url), folder, json)
          : backupFolder(nodeIo(), data, folder, json),
      )
    })
  program
    .command('restore')
    .description('make a data folder of a backup, which is checked first')
    .argument('<folder>')
    .requiredOption('--data <DIR>', 'the data folder to make: empty, or not there yet')
    .option('--json', 'print the outcome as JSON')
    .action(async (folder: string, { data, json = false }: { data: string; json?: boolean }) => {
      const { restore } = await import('./backup.ts')
      await ends(restore(nodeIo(), folder, data, json))
    })
}
