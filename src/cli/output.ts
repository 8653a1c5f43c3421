/** Writes to stdout, waiting while the reader is slow. */
export function writeOut(data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error) => (error ? reject(error) : resolve()))
  })
}

/** Talk: everything that is not data. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** A reader that has gone away, such as `head`, ends the program and is no failure. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}
