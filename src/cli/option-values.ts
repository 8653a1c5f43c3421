import { Option } from 'commander'

/** How rows are printed. */
export const formats = ['ndjson', 'json', 'csv', 'table'] as const
export type Format = (typeof formats)[number]

/** What an app may be begun in. */
export const languages = ['ts', 'sql'] as const
export type Language = (typeof languages)[number]

/** Shells that there are completions for. */
export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** Gathers the values of an option that may be given more than once. */
export function repeated(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** A command that asks a server may ask as somebody else. */
export function actAs(): Option {
  return new Option('--as <CALLER>', 'what another caller would get, for admins: {"role": …, "claims": {…}}')
}
