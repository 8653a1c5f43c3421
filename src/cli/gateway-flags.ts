import type { Command } from 'commander'
import { repeated } from './option-values.ts'

/** What stands in front of an app that is served. */
export interface GatewayFlags {
  readonly auth?: string
  readonly insecurePublic?: boolean
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly trustProxy: readonly string[]
}

export function addGatewayFlags(command: Command): Command {
  return command
    .option('--auth <FILE>', 'who may ask for what, as JSON (an app in TypeScript exports `gateway`)')
    .option('--tls-cert <FILE>', 'serve HTTPS with this certificate (PEM); read again when it changes')
    .option('--tls-key <FILE>', "the certificate's private key (PEM)")
    .option(
      '--trust-proxy <ADDRESS>',
      'believe X-Forwarded-For of this address or network; may be repeated',
      repeated,
      [],
    )
    .option('--insecure-public', 'listen beyond this machine though everybody may do everything')
}
