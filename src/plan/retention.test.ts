import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser, parseSql } from '../sql/parse.ts'
import { defineProgram } from './definition.ts'
import { planSelect } from './optimise.ts'
import type { ViewDefinition } from './program.ts'

beforeAll(loadParser)

function defined(options: string): ViewDefinition {
  const text = `CREATE MATERIALIZED VIEW v ${options} AS SELECT 1 AS one`
  return defineProgram(parseSql(text), planSelect).program.views[0]
}

describe('retain', () => {
  it.each([
    ["WITH (retain = '1 hour')", { micros: '3600000000', bytes: null }],
    ["WITH (retain = '2 days 30 minutes')", { micros: String(86_400_000_000 * 2 + 1_800_000_000), bytes: null }],
    ["WITH (emit = 'continuous', retain = '64 MiB')", { micros: null, bytes: 64 * 1024 * 1024 }],
    ["WITH (retain = '10MB, 15 minutes')", { micros: '900000000', bytes: 10_000_000 }],
    ["WITH (retain = '0 MiB')", { micros: null, bytes: 0 }],
  ])('%s', (options, retain) => {
    expect(defined(options).retain).toEqual(retain)
  })

  it('is left out where nothing is said', () => {
    expect(defined('')).not.toHaveProperty('retain')
  })

  it.each([
    ["retain = 'a while'", 'neither a time nor a size'],
    ["retain = '1 hour, 2 hours'", 'neither a time nor a size'],
    ["retain = ''", 'neither a time nor a size'],
    ['retain = 5', 'neither a time nor a size'],
    ["retain = '1 month'", "can't be in months"],
    ["retain = '-1 hour'", "can't be negative"],
  ])('refuses %s', (option, message) => {
    expect(() => defined(`WITH (${option})`)).toThrow(message)
  })
})
