import { median, took } from './measure.ts'
import { load } from './millrace.ts'
import { blockWriter, schemaOf } from './nexmark/blocks.ts'
import { Generator } from './nexmark/generator.ts'
import { messyNdjson } from './nexmark/messy.ts'
import { NdjsonWriter } from './nexmark/ndjson.ts'
import { rowsOf } from './nexmark/rows.ts'
import { bid } from './nexmark/topics.ts'
import { si, table } from './print.ts'

export interface IngestFigures {
  readonly canonicalPerSecond: number
  readonly messyPerSecond: number
  readonly parsePerSecond: number
}

/** JSON to columns in memory: bids as NDJSON, about 1 MiB a body. */
export async function measureIngest(runs: number, smoke: boolean): Promise<IngestFigures> {
  const { compileDecoder } = await load<typeof import('../src/data/json-decoder.ts')>('data/json-decoder')
  const generator = new Generator()
  const writeBlocks = await blockWriter()
  const bodies: Buffer[] = []
  const messy: Buffer[] = []
  const sums: number[] = []
  let rows = 0
  for (let i = 0; i < (smoke ? 1 : 8); i++) {
    generator.next(4600)
    rows += generator.bid.rows
    const writer = new NdjsonWriter()
    writer.write(generator.bid)
    bodies.push(Buffer.from(writer.bytes.subarray(0, writer.length)))
    messy.push(messyNdjson(bid, rowsOf(generator.bid), i))
    sums.push(checksum(writeBlocks(generator)[2].bytes))
  }
  const topic = { name: 'bid', columns: schemaOf(bid), primaryKey: [], eventTime: 5 }
  const strict = compileDecoder(topic)
  const loose = compileDecoder({ ...topic, columns: schemaOf(bid, true) })
  bodies.forEach((body, i) => {
    const { blocks, errors } = strict.decodeBody(body, 'ndjson')
    if (errors.length > 0) throw new Error(`an event was refused: ${errors[0].pointer}: ${errors[0].detail}`)
    if (checksum(blocks[0].bytes) !== sums[i]) throw new Error('decoded events differ from the generated ones')
  })
  const rounds = smoke ? 1 : 12
  const rate = async (each: (body: Buffer) => void, from: readonly Buffer[]): Promise<number> => {
    const seconds: number[] = []
    for (let i = 0; i < runs; i++) {
      const { seconds: one } = await took(() => {
        for (let round = 0; round < rounds; round++) from.forEach(each)
      })
      seconds.push(one)
    }
    return (rows * rounds) / median(seconds)
  }
  return {
    canonicalPerSecond: await rate((body) => {
      strict.decodeBody(body, 'ndjson')
    }, bodies),
    messyPerSecond: await rate((body) => {
      const { errors } = loose.decodeBody(body, 'ndjson')
      if (errors.length > 0) throw new Error(`an event was refused: ${errors[0].pointer}: ${errors[0].detail}`)
    }, messy),
    parsePerSecond: await rate((body) => {
      for (const line of body.toString().split('\n')) if (line !== '') JSON.parse(line)
    }, bodies),
  }
}

export function printIngest({ canonicalPerSecond, messyPerSecond, parsePerSecond }: IngestFigures): void {
  table(
    ['JSON to columns, bids of 258 B', 'events/s', 'floor / goal'],
    [
      ['as plain clients write it', si(canonicalPerSecond), '1 M / 10 M'],
      ['any key order, escapes, NULLs, unknown fields', si(messyPerSecond), '1 M / 5 M'],
      ['JSON.parse alone, to objects', si(parsePerSecond), ''],
    ],
  )
}

/** Blocks of the same rows have the same bytes, whoever wrote them. */
function checksum(bytes: Uint8Array): number {
  let sum = bytes.length
  for (let i = 0; i < bytes.length; i++) sum = (Math.imul(sum, 31) + bytes[i]) | 0
  return sum
}
