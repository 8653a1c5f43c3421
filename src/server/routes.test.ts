import { describe, expect, it } from 'vitest'
import { methodOf, on, Routes, route } from './routes.ts'

const none = () => ({ status: 204, headers: {}, body: null })
const routes = new Routes([
  route('/v1/{kind}/{name}', on('GET', 'known', 'read', none)),
  route('/v1/views/{view}', on('GET', 'read view', 'read', none), on('POST', 'admin', 'admin', none)),
  route('/v1/topics/{topic}/events/{offset}', on('GET', 'read topic', 'read', none)),
])

describe('routes', () => {
  it('decode each variable part by its name, and take the path that is spelled out first', () => {
    expect(routes.find('/v1/topics/a%2Fb/events/12?x=1')).toMatchObject({
      names: { topic: 'a/b', offset: '12' },
      query: 'x=1',
    })
    expect(routes.find('/v1/views/v').route.pattern).toBe('/v1/views/{view}')
    expect(routes.find('/v1/other/v').route.pattern).toBe('/v1/{kind}/{name}')
  })

  it.each(['/v1', '/v1/views', '/v1/views/v/', '//v1/views/v', '/v1/topics/t/events', 'http://x/v1/views/v'])(
    'have nothing at %s',
    (target) => {
      expect(() => routes.find(target)).toThrow('there is nothing at')
    },
  )

  it('refuse what is no UTF-8, and methods that a path does not take', () => {
    expect(() => routes.find('/v1/views/%ff')).toThrow('percent-encoded UTF-8')
    const { route: found } = routes.find('/v1/views/v')
    expect(methodOf(found, 'HEAD').needs).toBe('read view')
    for (const method of ['DELETE', 'toString', '__proto__', 'get']) {
      expect(() => methodOf(found, method)).toThrow('is not for this path')
    }
    expect(() => methodOf(found, 'PUT')).toThrow(expect.objectContaining({ allow: 'GET, HEAD, POST, OPTIONS' }))
  })
})
