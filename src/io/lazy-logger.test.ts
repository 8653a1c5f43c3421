import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'

/** What a process has written that logs one line of each kind and ends at once. */
function written(level: string): readonly string[] {
  const built = pathToFileURL(path.resolve('dist/modules/io/lazy-logger.js')).href
  const program = `
    import { lazyLogger } from ${JSON.stringify(built)}
    const logger = lazyLogger(${JSON.stringify(level)})
    logger.debug({ path: '/v1' }, 'request')
    logger.error({ err: new Error('broken') }, 'mistake')
    process.exit(0)`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  return stderr.split('\n').filter((line) => line !== '')
}

describe('a logger that loads its library late', () => {
  it.each([
    ['debug', ['request', 'mistake']],
    ['warn', ['mistake']],
    ['error', ['mistake']],
    ['fatal', []],
    ['silent', []],
  ])('at %s has written %j before the process ends', (level, messages) => {
    expect(written(level).map((line) => JSON.parse(line).msg)).toEqual(messages)
  })
})
