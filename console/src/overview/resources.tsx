import type { StatusBody } from 'millrace/client'
import type { JSX } from 'preact'
import { Meter } from '../design/meter.tsx'
import { bytes, plural } from '../text/numbers.ts'
import { clock, duration, moment } from '../text/times.ts'

/** Memory and disk, against what there may be. */
export function Resources({ status }: { readonly status: StatusBody }): JSX.Element {
  const { memory, disk } = status
  const kept = (disk.log_bytes ?? 0) + (disk.state_bytes ?? 0)
  const share = (part: number): number => (memory.engine_budget_bytes === 0 ? 0 : part / memory.engine_budget_bytes)
  return (
    <>
      <Meter
        label="Engine"
        value={`${bytes(memory.engine_bytes)} of ${bytes(memory.engine_budget_bytes)}`}
        share={share(memory.engine_bytes)}
      />
      <Meter label="State in it" value={bytes(memory.state_bytes)} share={share(memory.state_bytes)} />
      <Meter label="Views" value={bytes(memory.view_bytes)} share={null} />
      <Meter label="Process" value={bytes(memory.process_bytes)} share={null} />
      {disk.log_bytes !== null && <Meter label="Log on disk" value={bytes(disk.log_bytes)} share={null} />}
      {disk.state_bytes !== null && <Meter label="State on disk" value={bytes(disk.state_bytes)} share={null} />}
      {disk.free_bytes !== null && (
        <Meter
          label="Disk"
          value={`${bytes(disk.free_bytes)} free`}
          share={kept === 0 ? null : kept / (kept + disk.free_bytes)}
        />
      )}
      {status.data === 'memory' && <p class="label">All data is in memory: it ends with the process.</p>}
    </>
  )
}

/** What happened lately, the newest first. */
export function Recent({ status }: { readonly status: StatusBody }): JSX.Element {
  if (status.recent.length === 0) return <p class="label">Nothing since the start.</p>
  return (
    <ol class="recent">
      {status.recent.map(({ at_micros: at, kind, message }) => (
        <li key={`${at} ${message}`}>
          <time class="label" dateTime={`${moment(at).replace(' ', 'T')}Z`} title={moment(at)}>
            {clock(at).slice(0, 8)}
          </time>
          <span class={kind === 'failure' ? 'bad' : undefined}>{message}</span>
        </li>
      ))}
    </ol>
  )
}

/** The server itself, in a line. */
export function ServerNote({ status }: { readonly status: StatusBody }): JSX.Element {
  return (
    <>
      <span>{`up ${duration(status.uptime_seconds * 1000)}`}</span>
      <span>{`version ${status.version}`}</span>
      <span>{plural(status.live_streams, 'live stream')}</span>
      <span>{`${plural(Math.round(status.requests_per_second), 'request')}/s`}</span>
    </>
  )
}
