/** What of an HTTP message is needed here. */
interface Message {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

export function headerOf({ headers }: Message, name: string): string | null {
  const value = headers[name]
  return value === undefined ? null : typeof value === 'string' ? value : value.join(', ')
}

export function hasBody({ headers }: Message): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
