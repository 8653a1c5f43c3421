/** All that happened, line by line; two runs are the same when their hashes are. */
export class Trace {
  readonly lines: string[] = []
  #high = 0x811c9dc5
  #low = 0x9e3779b9

  add(line: string): void {
    this.lines.push(line)
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i)
      this.#low = Math.imul(this.#low ^ code, 0x01000193)
      this.#high = Math.imul(this.#high + code, 0x85ebca6b) ^ (this.#low >>> 13)
    }
  }

  get hash(): string {
    const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0')
    return hex(this.#high) + hex(this.#low)
  }
}
