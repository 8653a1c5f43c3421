/** Digits that a double always keeps. */
const doubleDigits = 15

/** A bigint's text as TypeScript sees it: a number while safe, else a BigInt. */
export function plainBigint(text: string): number | bigint {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

/** A numeric's text as TypeScript sees it: a number up to 15 digits, else a string. */
export function plainNumeric(text: string): number | string {
  const digits = text.replace(/^-?0*\.?0*/, '').replace('.', '')
  return /\d/.test(text) && digits.length > doubleDigits ? text : Number(text)
}
