import { styleText } from 'node:util'
import { type Command, Option } from 'commander'
import { MillraceError } from '../data/errors.ts'
import type { FindBody, JourneyBody, WhyBody } from '../protocol/why.ts'
import { findText, journeyText } from './journey-text.ts'
import { actAs, repeated } from './option-values.ts'
import { writeOut } from './output.ts'
import { connectBriefly, defaultUrl } from './remote.ts'
import { type Paint, plain, whyText } from './why-tree.ts'

/** Commands that ask a running server what its rows are made of. */
export function addWhy(program: Command, ends: (action: Promise<number>) => Promise<void>): void {
  program
    .command('why')
    .description('why a row of a view is there, down to its events, or why it is not')
    .argument('<view>')
    .argument('[column=value...]', 'which row: as many columns as tell it from the others')
    .addOption(new Option('--url <URL>', 'the running server').default(defaultUrl))
    .option('--is-null <COLUMN>', 'a column that is NULL; may be repeated', repeated, [])
    .option('--as-of <TICK|TIME>', 'as it was at a past tick or time')
    .option('--limit <N>', 'events listed at most')
    .addOption(actAs())
    .option('--json', "print the server's answer")
    .action((view: string, where: readonly string[], flags: WhyFlags) => ends(why(view, where, flags)))
  program
    .command('journey')
    .description('what became of an event: what it did at each operator, and which rows it changed')
    .argument('<topic>')
    .argument('<offset>')
    .addOption(new Option('--url <URL>', 'the running server').default(defaultUrl))
    .addOption(actAs())
    .option('--json', "print the server's answer")
    .action((topic: string, offset: string, flags: Answered) => ends(journey(topic, offset, flags)))
  program
    .command('find')
    .description('find events of a topic by what is in them, the newest first')
    .argument('<topic>')
    .argument('[column=value...]')
    .addOption(new Option('--url <URL>', 'the running server').default(defaultUrl))
    .option('--is-null <COLUMN>', 'a column that is NULL; may be repeated', repeated, [])
    .option('--limit <N>', 'events listed at most')
    .addOption(actAs())
    .option('--json', "print the server's answer")
    .action((topic: string, where: readonly string[], flags: WhyFlags) => ends(find(topic, where, flags)))
}

interface Answered {
  readonly url: string
  readonly as?: string
  readonly json?: boolean
}

interface WhyFlags {
  readonly url: string
  readonly as?: string
  readonly isNull: readonly string[]
  readonly asOf?: string
  readonly limit?: string
  readonly json?: boolean
}

async function why(view: string, where: readonly string[], flags: WhyFlags): Promise<number> {
  const path = `/v1/views/${encodeURIComponent(view)}/why?${queryOf(where, flags)}`
  return answered(flags, path, (answer) => whyText(JSON.parse(answer) as WhyBody, painter(), width()))
}

/** @throws MillraceError usage */
async function journey(topic: string, offset: string, flags: Answered): Promise<number> {
  if (!/^\d+$/.test(offset)) {
    throw new MillraceError('usage', `${offset} is no offset`, {
      hint: 'it is a whole number from 0: `millrace find` shows them',
    })
  }
  const path = `/v1/topics/${encodeURIComponent(topic)}/events/${encodeURIComponent(offset)}/journey`
  return answered(flags, path, (answer) => journeyText(JSON.parse(answer) as JourneyBody, painter(), width()))
}

async function find(topic: string, where: readonly string[], flags: WhyFlags): Promise<number> {
  const path = `/v1/topics/${encodeURIComponent(topic)}/find?${queryOf(where, flags)}`
  return answered(flags, path, (answer) => findText(JSON.parse(answer) as FindBody, painter(), width()))
}

async function answered(
  { url, as, json = false }: Answered,
  path: string,
  text: (answer: string) => string,
): Promise<number> {
  const answer = await (await connectBriefly(url, as).open(path)).text()
  await writeOut(json ? answer : text(answer))
  return 0
}

function queryOf(where: readonly string[], { isNull, asOf, limit }: WhyFlags): URLSearchParams {
  const query = new URLSearchParams(where.map(equality))
  for (const column of isNull) query.append('isnull', column)
  if (asOf !== undefined) query.append('as_of', asOf)
  if (limit !== undefined) query.append('limit', limit)
  return query
}

/** @throws MillraceError usage */
function equality(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [`eq.${text.slice(0, at)}`, text.slice(at + 1)]
  throw new MillraceError('usage', `${text} says no value`, { hint: 'write COLUMN=VALUE' })
}

function painter(): Paint {
  return process.stdout.isTTY && process.env.NO_COLOR === undefined ? styleText : plain
}

function width(): number {
  return process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY
}
