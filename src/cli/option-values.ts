import { Option } from 'commander'

/** Gathers the values of an option that may be given more than once. */
export function repeated(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** A command that asks a server may ask as somebody else. */
export function actAs(): Option {
  return new Option('--as <CALLER>', 'what another caller would get, for admins: {"role": …, "claims": {…}}')
}
