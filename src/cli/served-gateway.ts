import type { Gateway } from '../app/gateway.ts'
import { gatewayFromJson } from '../app/gateway-json.ts'
import { MillraceError } from '../data/errors.ts'
import type { Disk } from '../io/io.ts'
import type { OwnTopic } from '../plan/own-topics.ts'
import { isLoopback } from '../server/guard.ts'
import type { GatewayFlags } from './gateway-flags.ts'
import { readText } from './load-app.ts'
import { say } from './output.ts'

/**
 * The gateway of an app: its own, or a file's.
 * @throws MillraceError app/load, and usage where both are given
 */
export async function gatewayOf(disk: Disk, own: Gateway | null, { auth }: GatewayFlags): Promise<Gateway | null> {
  if (auth === undefined) return own
  if (own !== null) {
    throw new MillraceError('usage', 'the app exports a gateway, and --auth names another one', {
      hint: 'leave one of them out',
    })
  }
  return gatewayFromJson(await readText(disk, auth), auth)
}

/** @throws MillraceError usage for an address that others reach, where everybody may do everything */
export function refuseOpenDoor(host: string, gateway: Gateway | null, { insecurePublic }: GatewayFlags): void {
  if (gateway !== null || isLoopback(host)) return
  if (insecurePublic === true) {
    say(`anybody who reaches ${host} may read, append and query everything: --insecure-public`)
    return
  }
  throw new MillraceError('usage', `on ${host} anybody could read, append and query everything: there is no auth`, {
    hint: 'export a gateway from the app, give --auth FILE, or say --insecure-public where that is meant',
  })
}

/** The topics of Millrace's own that a gateway writes. */
export function ownTopicsOf(gateway: Gateway | null): readonly OwnTopic[] {
  return [
    ...(gateway?.audit === true ? ['_audit' as const] : []),
    ...(gateway?.accessLog === true ? ['_access' as const] : []),
  ]
}
