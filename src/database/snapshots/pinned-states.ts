import { Bug } from '../../data/errors.ts'
import type { Program } from '../../plan/program.ts'
import type { Keeper } from '../../state/snapshots/keeper.ts'
import type { ViewState } from '../../views/view.ts'
import type { BegunCapture, Pinned, Running } from '../running.ts'
import { meaningOf, meaningsOf } from './snapshot-notes.ts'

/** What views hold at the tick of a capture. */
export interface Captured {
  /** In the order of the program's views. */
  readonly states: readonly ViewState[]
  readonly pinned: Pinned
}

/**
 * What a program's views hold in captures of one tick, each view in the first that has it.
 * @throws MillraceError as an engine that failed before it came to the tick
 */
export async function pinnedStates(program: Program, begun: readonly BegunCapture[]): Promise<Captured> {
  const held = new Map<string, ViewState>()
  const captured: Pinned[] = []
  for (const [i, { running, pinned }] of begun.entries()) {
    const found = await pinned
    if (found === null) throw running.driver.failure ?? new Bug('an engine did not come to its tick')
    captured.push(found)
    running.program.views.forEach((view, k) => {
      const meaning = meaningOf(running.program, view)
      if (!held.has(meaning)) held.set(meaning, i === 0 ? found.states[k] : builtBeside(found.states[k]))
    })
  }
  const states = meaningsOf(program).map((meaning, i) => {
    const state = held.get(meaning)
    if (state === undefined) throw new Bug(`nobody has captured ${program.views[i].name}`)
    return state
  })
  return { states, pinned: captured[0] }
}

/** A view that was built beside those that run knows what it was only from then on. */
function builtBeside({ past: _, ...state }: ViewState): ViewState {
  return state
}

/** Hands an engine's state to the keeper, who writes a slice while the engine makes the next one. */
export async function handOver(keeper: Keeper, running: Running, taken: ReadonlySet<string>): Promise<void> {
  let adding = Promise.resolve()
  let coming = running.captured()
  for (let done = false; !done; ) {
    const slice = await coming
    done = slice.done
    if (!done) {
      coming = running.captured()
      coming.catch(() => {})
    }
    await adding
    adding = keeper.add(slice.pieces.filter(({ arrangement }) => !taken.has(arrangement)))
  }
  await adding
}
