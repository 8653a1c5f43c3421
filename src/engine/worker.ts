import { serveThread } from '../io/thread-entry.ts'
import { engineThread } from './thread.ts'

serveThread(engineThread)
