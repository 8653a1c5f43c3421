import { CloudEvent, HTTP } from 'cloudevents'
import { afterEach, describe, expect, it } from 'vitest'
import { type Running, startRunning } from '../../test/support/running-server.ts'

let running: Running | null = null

afterEach(async () => {
  await running?.stop()
  running = null
})

const app = `
CREATE TABLE reading (
  sensor text NOT NULL,
  value bigint NOT NULL,
  ce_id text NOT NULL,
  ce_source text NOT NULL,
  ce_type text,
  ce_time timestamptz
);
CREATE MATERIALIZED VIEW latest AS SELECT ce_source, count(*) AS readings, sum(value) AS total FROM reading GROUP BY ce_source;
`

async function events(): Promise<string> {
  running = await startRunning({}, app)
  return `${running.url}/v1/topics/reading/events`
}

async function send(url: string, { headers, body }: { headers: object; body: unknown }) {
  const response = await fetch(url, {
    method: 'POST',
    headers: headers as Record<string, string>,
    body: body as string,
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const made = (id: string, data: unknown, more: object = {}) =>
  new CloudEvent({ id, source: '/plant/1', type: 'reading', time: '2026-11-22T08:00:00.000Z', data, ...more } as never)

async function read(url: string): Promise<unknown[]> {
  const page = (await (await fetch(url)).json()) as { events: { data: unknown }[] }
  return page.events.map(({ data }) => data)
}

const stored = (id: string, sensor: string, value: number) => ({
  sensor,
  value,
  ce_id: id,
  ce_source: '/plant/1',
  ce_type: 'reading',
  ce_time: '2026-11-22T08:00:00+00:00',
})

describe('CloudEvents, as the SDK sends them', () => {
  it('come as one envelope', async () => {
    const url = await events()
    expect(await send(url, HTTP.structured(made('a', { sensor: 's', value: 7 })) as never)).toMatchObject({
      status: 201,
    })
    expect(await read(url)).toMatchObject([stored('a', 's', 7)])
  })

  it('come with their attributes in headers', async () => {
    const url = await events()
    const event = made('ä b', { sensor: 's', value: 7 })
    expect(await send(url, HTTP.binary(event) as never)).toMatchObject({ status: 201 })
    expect(await read(url)).toMatchObject([{ ce_source: '/plant/1', value: 7, ce_specversion: '1.0' }])
  })

  it('come as a batch, appended as one', async () => {
    const url = await events()
    const batch = [made('a', { sensor: 's', value: 1 }), made('b', { sensor: 't', value: 2 })]
    const body = JSON.stringify(batch)
    const headers = { 'content-type': 'application/cloudevents-batch+json' }
    expect(await send(url, { headers, body })).toMatchObject({ status: 201, body: { first_offset: 0, last_offset: 1 } })
    expect(await read(url)).toMatchObject([stored('a', 's', 1), stored('b', 't', 2)])
  })

  it('keep attributes that the topic has no column for', async () => {
    const url = await events()
    const event = made('a', { sensor: 's', value: 1 }, { traceparent: '00-1', subject: 'x' })
    await send(url, HTTP.structured(event) as never)
    expect(await read(url)).toMatchObject([{ ce_subject: 'x', ce_traceparent: '00-1', ce_specversion: '1.0' }])
  })
})

const structured = { 'content-type': 'application/cloudevents+json' }
const envelope = (text: string) => `{"specversion":"1.0","id":"a","source":"s","type":"t",${text}}`

describe('CloudEvents as they may be written', () => {
  it('keep numbers exact, whatever their place', async () => {
    const url = await events()
    const body = envelope('"data":{"sensor":"s","value":9007199254740993},"n":9007199254740993')
    expect(await send(url, { headers: structured, body })).toMatchObject({ status: 201 })
    expect(await (await fetch(url)).text()).toMatch(/"value":9007199254740993.*"ce_n":9007199254740993/)
  })

  it('take JSON in base64', async () => {
    const url = await events()
    const data = Buffer.from(' {"sensor":"s","value":3} ').toString('base64')
    const body = envelope(`"datacontenttype":"application/vnd.x+json; charset=utf-8","data_base64":"${data}"`)
    expect(await send(url, { headers: structured, body })).toMatchObject({ status: 201 })
    expect(await read(url)).toMatchObject([{ sensor: 's', value: 3 }])
  })

  it.each([
    ['a field of the data', envelope('"data":{"sensor":"s","value":"x"}'), '/data/value'],
    ['no data', envelope('"subject":"x"'), ''],
    ['data that are no object', envelope('"data":[1]'), '/data'],
    ['data twice', envelope('"data":{"sensor":"s","value":1},"data_base64":"e30="'), '/data_base64'],
    ['base64 of no JSON', envelope('"data_base64":"e30"'), null],
    ['no base64', envelope('"data_base64":"e30=!"'), '/data_base64'],
    ['base64 that is no string', envelope('"data_base64":7'), '/data_base64'],
    ['another version', '{"specversion":"0.3","id":"a","source":"s","type":"t","data":{}}', '/specversion'],
    ['an attribute that is not for a column', envelope('"time":"x","data":{"sensor":"s","value":1}'), '/time'],
    ['an attribute of no legal name', envelope('"Ä":1,"data":{"sensor":"s","value":1}'), '/Ä'],
    ['an attribute that is an object', envelope('"x":{},"data":{"sensor":"s","value":1}'), '/x'],
    ['an attribute twice', envelope('"id":"b","data":{"sensor":"s","value":1}'), '/id'],
    ['data of another kind', envelope('"datacontenttype":"text/plain","data":{}'), '/datacontenttype'],
    ['an attribute that data has, too', envelope('"data":{"sensor":"s","value":1,"ce_id":"b"}'), null],
    ['no object', '7', ''],
  ])('are refused with %s', async (_, body, pointer) => {
    const url = await events()
    const refused = await send(url, { headers: structured, body })
    expect(refused.status).toBe(422)
    if (pointer !== null) expect(refused.body.errors).toContainEqual(expect.objectContaining({ pointer }))
    expect(await read(url)).toEqual([])
  })

  it('are refused all together, each mistake at its place', async () => {
    const url = await events()
    const good = envelope('"data":{"sensor":"s","value":1}')
    const batch = { 'content-type': 'application/cloudevents-batch+json' }
    const late = await send(url, { headers: batch, body: `[${good},${envelope('"data":{"sensor":1,"value":1}')}]` })
    expect(late).toMatchObject({ status: 422, body: { errors: [{ pointer: '/1/data/sensor' }] } })
    const early = await send(url, { headers: batch, body: `[${good},${good},{"data":{}}]` })
    expect(early.body.errors).toContainEqual(
      expect.objectContaining({ pointer: '/2', detail: 'the attribute id is missing' }),
    )
    expect(await read(url)).toEqual([])
  })

  it('need their attributes in headers, too', async () => {
    const url = await events()
    const body = '{"sensor":"s","value":1}'
    const headers = { 'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': 'a', 'ce-type': 't' }
    expect(await send(url, { headers, body })).toMatchObject({ status: 422 })
    const wrong = { ...headers, 'ce-source': '%zz' }
    expect(await send(url, { headers: wrong, body })).toMatchObject({ status: 422 })
    const whole = { ...headers, 'ce-source': '/caf%C3%A9' }
    expect(await send(url, { headers: whole, body: '{}' })).toMatchObject({ status: 422 })
    expect(await send(url, { headers: whole, body })).toMatchObject({ status: 201 })
    expect(await read(url)).toMatchObject([{ ce_source: '/café' }])
  })

  it('are told what is not for them', async () => {
    const url = await events()
    const body = envelope('"data":{"sensor":"s","value":1}')
    expect(await send(`${url}?on_invalid=skip`, { headers: structured, body })).toMatchObject({ status: 400 })
    const avro = { 'content-type': 'application/cloudevents+avro' }
    expect(await send(url, { headers: avro, body })).toMatchObject({ status: 415 })
    const mixed = url.replace('/v1/topics/reading/events', '/v1/append')
    expect(await send(mixed, { headers: structured, body })).toMatchObject({ status: 415 })
  })
})
