/** Dials out over HTTP, with what the runtime has for it. */
export function dial(url: string, request?: RequestInit): Promise<Response> {
  return fetch(url, request)
}
