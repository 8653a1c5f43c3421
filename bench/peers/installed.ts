import { existsSync } from 'node:fs'

const packages = { duckdb: '@duckdb/node-api', 'db-ivm': '@tanstack/db-ivm' } as const

export type Peer = keyof typeof packages

/** The peers are heavy and belong to the benchmark alone; without them it measures Millrace only. */
export function installed(peer: Peer): boolean {
  return existsSync(new URL(`../node_modules/${packages[peer]}`, import.meta.url))
}
