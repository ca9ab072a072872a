// Promise timeouts: resolve, time out, or abort on SIGINT.
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT, CliError } from './cli-error.js'

/**
 * @param seconds time limit
 * @param late creates the error of a timeout
 * @throws {CliError} the error of `late`, or `interrupted`
 */
export async function withTimeout<T> (promise: Promise<T>, seconds: number, signal: AbortSignal, late: () => CliError): Promise<T> {
  const over = new AbortController()
  const options = { signal: over.signal }
  try {
    return await Promise.race([promise, interruption(signal, over.signal), sleep(seconds * 1000, undefined, options).then(() => { throw late() })])
  } finally {
    over.abort()
  }
}

/** Waits. @param ms duration @throws {CliError} if interrupted */
export async function delay (ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => { throw interrupted() })
}

const interrupted = () => new CliError(EXIT.interrupted, 'interrupted')

function interruption (signal: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () => reject(interrupted())
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { signal: over })
  })
}
