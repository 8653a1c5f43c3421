import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Runs one job in a process of its own, so that its memory can be told from others' and no job runs on code that
 * another one warmed up or spoiled.
 */
export function inChild<Task, Answer>(script: URL, task: Task, heapMegabytes = 8192): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(script), [JSON.stringify(task)], {
      execArgv: [...process.execArgv, '--expose-gc', `--max-old-space-size=${heapMegabytes}`],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    let answer: { readonly value: Answer } | { readonly error: string } | undefined
    child.on('message', (message) => {
      answer = message as typeof answer
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (answer === undefined) reject(new Error(`the child process ended with ${signal ?? code}`))
      else if ('error' in answer) reject(new Error(answer.error))
      else resolve(answer.value)
    })
  })
}

/** The child's side: runs the task of its arguments and sends the answer. */
export async function answerParent<Task, Answer>(work: (task: Task) => Promise<Answer> | Answer): Promise<void> {
  let answer: { readonly value: Answer } | { readonly error: string }
  try {
    answer = { value: await work(JSON.parse(process.argv[2]) as Task) }
  } catch (error) {
    answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
  if (process.send === undefined) console.log(answer)
  else process.send(answer, () => process.exit(0))
}

/** Bytes of memory this process has had resident at most. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024
}
