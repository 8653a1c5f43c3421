import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerParent } from './child.ts'
import { quantile } from './measure.ts'

export interface ServeTask {
  readonly port: number
  readonly subscribers: number
  readonly seconds: number
}

export interface ServeAnswer {
  /** Told to all subscribers together. */
  readonly changes: number
  readonly p50: number
  readonly p99: number
  /** Streams that ended by themselves, or never began. */
  readonly broken: number
}

/** Subscribers of one view, all in one process: each change says when it was appended. */
async function subscribe({ port, subscribers, seconds }: ServeTask): Promise<ServeAnswer> {
  const delays: number[] = []
  let open = 0
  let over = false
  let broken = 0
  const sockets = Array.from({ length: subscribers }, () => {
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    socket.write('GET /v1/views/latest/live HTTP/1.1\r\nHost: localhost\r\n\r\n')
    let begun = false
    socket.on('data', (piece: string) => {
      if (!begun) open++
      begun = true
      const now = Date.now()
      for (const [, at] of piece.matchAll(/"at_ms":(\d+)\},"weight":1/g)) delays.push(now - Number(at))
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (!over) broken++
    })
    return socket
  })
  await sleep(seconds * 1000)
  over = true
  for (const socket of sockets) socket.destroy()
  const late = delays.length === 0 ? [0] : delays
  return {
    changes: delays.length,
    p50: quantile(late, 0.5),
    p99: quantile(late, 0.99),
    broken: broken + subscribers - open,
  }
}

await answerParent(subscribe)
