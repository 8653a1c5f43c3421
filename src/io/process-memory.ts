/** Bytes of memory that the system has given this process. */
export function processBytes(): number {
  return process.memoryUsage.rss()
}
