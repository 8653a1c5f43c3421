import { answerParent } from '../child.ts'
import { runJob } from './jobs.ts'

await answerParent(runJob)
