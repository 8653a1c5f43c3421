import { type CellErrorName, cellErrors } from '../../data/cell.ts'
import { fault } from '../runtime.ts'
import { helperCall, type Implementation } from './definition.ts'

/** Casts between types that aren't text, by the kinds of both. */

const between = new Map<string, Implementation>()

/** @param from kinds separated by blanks, each cast to each of `to` */
export function defineCast(from: string, to: string, implementation: Implementation): void {
  for (const source of from.split(' ')) {
    for (const target of to.split(' ')) between.set(`${source}>${target}`, implementation)
  }
}

export function definedCast(from: string, to: string): Implementation | null {
  return between.get(`${from}>${to}`) ?? null
}

export function viaHelper(target: (value: never) => unknown, fails = false): Implementation {
  return (b, args, site) => helperCall(b, args, site, target as (...args: never[]) => unknown, fails)
}

/** Leaves a fault behind. @returns the value, which nobody will look at */
export function failing<T>(error: CellErrorName, value: T): T {
  fault.state = cellErrors[error]
  return value
}
