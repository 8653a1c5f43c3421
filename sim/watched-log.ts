import type { Log, SealedTick } from '../src/log/log.ts'
import { type History, Violation } from './history.ts'
import type { SimulationPlan } from './plan.ts'
import { trimNoted } from './retention.ts'

/** Notes every tick that leaves the log, that ticks and their time never go back, and what is thrown away. */
export function watchedLog(log: Log, history: History, plan: SimulationPlan): Log {
  let newest: SealedTick | null = null
  const watch = (tick: SealedTick): void => {
    try {
      if (newest !== null && (tick.tick <= newest.tick || tick.timeMicros < newest.timeMicros)) {
        const times = `${newest.tick} at ${newest.timeMicros}, then ${tick.tick} at ${tick.timeMicros}`
        throw new Violation('ticks and their time never go back', times)
      }
      newest = tick
      history.sawTick(tick.tick, tick.timeMicros)
    } catch (error) {
      history.tell(error as Violation)
    }
  }
  return {
    identity: log.identity,
    append: (append) => log.append(append),
    requestSeal: (evenIfEmpty) => log.requestSeal(evenIfEmpty),
    replay: (each, mergeRows, afterTick, throughTick, columns) =>
      log.replay(
        (tick) => {
          // Who looks back sees ticks again.
          if (throughTick === undefined) watch(tick)
          return each(tick)
        },
        mergeRows,
        afterTick,
        throughTick,
        columns,
      ),
    findOffset: (topic, timeMicros) => log.findOffset(topic, timeMicros),
    findTick: (wanted) => log.findTick(wanted),
    onTick: (listener) =>
      log.onTick((tick) => {
        watch(tick)
        listener(tick)
      }),
    onPoisoned: (listener) => log.onPoisoned(listener),
    readTopic: (topic, from, limit) => log.readTopic(topic, from, limit),
    position: () => log.position(),
    starts: () => log.starts(),
    reader: (mostIdleMs) => log.reader(mostIdleMs),
    ...trimNoted(log, history, plan),
    backup: (folder, options) => log.backup(folder, options),
    close: () => log.close(),
  }
}
