import { watch } from 'node:fs'

/**
 * Tells when a file in the folder changes, is made or goes away; not of what lies deeper. Editors write in many ways,
 * so one change may be told several times.
 * @returns ends the watch
 */
export function watchFolder(folder: string, changed: (name: string) => void): () => void {
  const watcher = watch(folder, (_, name) => {
    if (name !== null) changed(name)
  })
  // A folder that goes away has nothing more to tell.
  watcher.on('error', () => watcher.close())
  return () => watcher.close()
}
