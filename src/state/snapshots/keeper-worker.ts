import { serveThread } from '../../io/thread-entry.ts'
import { keeperThread } from './keeper-thread.ts'

serveThread(keeperThread, { background: true })
