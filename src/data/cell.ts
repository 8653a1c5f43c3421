/**
 * A cell is a value, NULL or an error. A column's optional state lane holds one byte per row; without the lane every
 * cell is a value. The value slot of a NULL or error cell is zero, so that equal cells have equal bytes.
 */
export const cellNull = 1

/** State 0 is a value. States from 2 up are errors; the byte is the error's code and is part of disk formats: append, never renumber. */
export const cellErrors = {
  divisionByZero: 2,
  integerOutOfRange: 3,
  numericOutOfRange: 4,
  floatOutOfRange: 5,
  invalidText: 6,
  datetimeOutOfRange: 7,
  valueTooLong: 8,
  invalidArgument: 9,
  invalidLogarithm: 10,
  invalidPower: 11,
  negativeLength: 12,
  invalidRegex: 13,
  notNull: 14,
  cardinality: 15,
  unknownTimeZone: 16,
  userFunction: 17,
  unfitField: 18,
} as const

export type CellErrorName = keyof typeof cellErrors

/** What an error cell says to a person, with PostgreSQL's SQLSTATE for the same mistake. */
export const cellErrorTexts: Readonly<
  Record<number, { readonly name: CellErrorName; readonly sqlstate: string; readonly text: string }>
> = {
  2: { name: 'divisionByZero', sqlstate: '22012', text: 'division by zero' },
  3: { name: 'integerOutOfRange', sqlstate: '22003', text: 'integer out of range' },
  4: { name: 'numericOutOfRange', sqlstate: '22003', text: 'numeric field overflow' },
  5: { name: 'floatOutOfRange', sqlstate: '22003', text: 'double precision out of range' },
  6: { name: 'invalidText', sqlstate: '22P02', text: 'text that the wanted type cannot be read from' },
  7: { name: 'datetimeOutOfRange', sqlstate: '22008', text: 'date/time value out of range' },
  8: { name: 'valueTooLong', sqlstate: '22001', text: 'value too long for its type' },
  9: { name: 'invalidArgument', sqlstate: '22023', text: 'invalid argument' },
  10: { name: 'invalidLogarithm', sqlstate: '2201E', text: 'logarithm of a number that is not positive' },
  11: { name: 'invalidPower', sqlstate: '2201F', text: 'power that has no real result' },
  12: { name: 'negativeLength', sqlstate: '22011', text: 'negative substring length' },
  13: { name: 'invalidRegex', sqlstate: '2201B', text: 'invalid regular expression' },
  14: { name: 'notNull', sqlstate: '22004', text: 'NULL where a value is needed' },
  15: {
    name: 'cardinality',
    sqlstate: '21000',
    text: 'more than one row returned by a subquery used as an expression',
  },
  16: { name: 'unknownTimeZone', sqlstate: '22023', text: 'unknown time zone' },
  17: { name: 'userFunction', sqlstate: '38000', text: 'a function of the app threw' },
  18: {
    name: 'unfitField',
    sqlstate: '22P02',
    text: 'a field of an older event that does not fit the column that was added for it',
  },
}
