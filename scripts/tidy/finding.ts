export interface Finding {
  readonly file: string
  readonly line: number
  readonly what: string
  /** What to do about it. */
  readonly instead: string
}

export function print({ file, line, what, instead }: Finding): string {
  return `${file}:${line}  ${what}\n    → ${instead}`
}
