import { Random } from './random.ts'
import type { Row } from './rows.ts'
import type { Topic } from './topics.ts'

/**
 * The same events as careless clients send them: keys in any order, spaces, escapes in texts, bigints as strings or
 * with a point, NULLs and missing columns where the schema lets them, a field nobody knows.
 */
export function messyNdjson(topic: Topic, rows: readonly Row[], seed: number): Buffer {
  const random = new Random(seed)
  const lines = rows.map((row) => {
    const fields: string[] = []
    for (const { name, kind } of topic.columns) {
      const value = row[name]
      const roll = random.below(10)
      if (kind === 'text' && roll === 0) {
        if (random.below(2) === 0) fields.push(`"${name}": null`)
      } else if (kind === 'text') {
        fields.push(`"${name}": ${roll < 4 ? escaped(String(value), random) : JSON.stringify(value)}`)
      } else if (kind === 'timestamp') {
        fields.push(`"${name}": "${new Date(Number(value) / 1000).toISOString()}"`)
      } else {
        fields.push(`"${name}": ${roll < 2 ? `"${value}"` : roll < 3 ? `${value}.0` : value}`)
      }
    }
    if (random.below(4) === 0) fields.push('"trace": {"id": [1, "a"], "sampled": true}')
    return `{ ${shuffle(fields, random).join(random.below(2) === 0 ? ', ' : ',')} }`
  })
  return Buffer.from(`${lines.join('\n')}\n`)
}

function escaped(text: string, random: Random): string {
  const at = random.below(text.length + 1)
  const piece = ['\\n', '\\u00e9', '\\"', '\\/', '\\ud83d\\ude00', 'ü'][random.below(6)]
  return `"${text.slice(0, at)}${piece}${text.slice(at)}"`
}

function shuffle(fields: string[], random: Random): string[] {
  for (let i = fields.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const field = fields[i]
    fields[i] = fields[j]
    fields[j] = field
  }
  return fields
}
