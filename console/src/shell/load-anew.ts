/** After an upgrade the files that an open document names are gone: the new document names others. */

const noted = 'millrace.loaded-anew'
/** Another failure within this time is not the upgrade's. */
const onceMs = 10_000

/**
 * Loads the document anew if there is one, but never twice in a row.
 * @returns false where that was just done, or the server is away
 */
export async function loadAnew(): Promise<boolean> {
  const now = Date.now()
  if (now - Number(sessionStorage.getItem(noted) ?? 0) < onceMs) return false
  const answer = await fetch('/').catch(() => null)
  if (answer?.ok !== true) return false
  sessionStorage.setItem(noted, String(now))
  location.reload()
  return true
}
