import { ByteWriter } from '../data/byte-writer.ts'
import { compilePrinter, type PrintOptions } from '../data/json-print.ts'
import { compileRowTexts, csvHeader, csvLine, textTable } from '../data/text-print.ts'
import type { Rows } from '../views/rows.ts'
import type { Format } from './option-values.ts'

export interface NamedRows {
  readonly name: string
  readonly rows: Rows
}

/** Bytes gathered before they are handed on. */
const chunkBytes = 64 * 1024

/**
 * Prints views' rows, each as often as it is there. With one view the rows alone; with several each row or list says
 * whose it is.
 * @param bare whether there is one view, and its name is left out
 */
export async function printViews(
  views: readonly NamedRows[],
  bare: boolean,
  format: Format,
  numbers: NonNullable<PrintOptions['numbers']>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const out = new Output(write)
  if (format === 'json' && !bare) out.writer.ascii('{')
  for (const [i, { name, rows }] of views.entries()) {
    if (format === 'json') {
      if (!bare) out.writer.text(`${i === 0 ? '\n' : ',\n'}${JSON.stringify(name)}: `)
      await printArray(out, rows, numbers)
    } else if (format === 'ndjson') await printLines(out, rows, numbers, bare ? null : name)
    else if (format === 'csv') await printCsv(out, rows)
    else out.writer.text(textTable(rows.columns, textsOf(rows)))
  }
  if (format === 'json') out.writer.ascii(bare ? '\n' : views.length === 0 ? '}\n' : '\n}\n')
  await out.flush()
}

class Output {
  readonly writer = new ByteWriter(chunkBytes * 2)
  readonly #write: (bytes: Uint8Array) => Promise<void>

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write
  }

  get full(): boolean {
    return this.writer.length >= chunkBytes
  }

  async flush(): Promise<void> {
    if (this.writer.length === 0) return
    const bytes = this.writer.bytes.slice(0, this.writer.length)
    this.writer.length = 0
    await this.#write(bytes)
  }
}

type Numbers = NonNullable<PrintOptions['numbers']>

async function printLines(out: Output, rows: Rows, numbers: Numbers, view: string | null): Promise<void> {
  const print = compilePrinter(rows.columns, { numbers })
  const lead = view === null ? '' : `{"view":${JSON.stringify(view)},"row":`
  const tail = view === null ? '\n' : '}\n'
  await eachRow(out, rows, (page, row) => {
    out.writer.text(lead)
    print(page.memory, page.columns, row, out.writer)
    out.writer.ascii(tail)
  })
}

async function printArray(out: Output, rows: Rows, numbers: Numbers): Promise<void> {
  const print = compilePrinter(rows.columns, { numbers })
  let first = true
  out.writer.ascii('[')
  await eachRow(out, rows, (page, row) => {
    out.writer.ascii(first ? '\n' : ',\n')
    first = false
    print(page.memory, page.columns, row, out.writer)
  })
  out.writer.ascii(first ? ']' : '\n]')
}

async function printCsv(out: Output, rows: Rows): Promise<void> {
  const texts = compileRowTexts(rows.columns)
  out.writer.text(csvHeader(rows.columns))
  await eachRow(out, rows, (page, row) => {
    out.writer.text(csvLine(texts(page.memory, page.columns, row)))
  })
}

type Page = Rows['pages'][number]

async function eachRow(out: Output, rows: Rows, print: (page: Page, row: number) => void): Promise<void> {
  for (let i = 0; i < rows.length; i++) {
    rows.forEach(
      (page, row, weight) => {
        for (let n = 0; n < weight; n++) print(page, row)
      },
      i,
      i + 1,
    )
    if (out.full) await out.flush()
  }
}

export function textsOf(rows: Rows): (string | null)[][] {
  const texts = compileRowTexts(rows.columns)
  const all: (string | null)[][] = []
  rows.forEach((page, row, weight) => {
    const line = texts(page.memory, page.columns, row)
    for (let n = 0; n < weight; n++) all.push(line)
  })
  return all
}
