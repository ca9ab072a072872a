// Promise timeouts: resolve, time out, or abort on SIGINT.
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT, CliError } from './cli-error.js'

/**
 * @param seconds time limit
 * @param timeoutError creates the error of a timeout
 * @throws {CliError} the error of `timeoutError`, or `interrupted`
 */
export async function withTimeout<T> (promise: Promise<T>, seconds: number, signal: AbortSignal, timeoutError: () => CliError): Promise<T> {
  const settled = new AbortController()
  const options = { signal: settled.signal }
  try {
    return await Promise.race([promise, interruption(signal, settled.signal), sleep(seconds * 1000, undefined, options).then(() => { throw timeoutError() })])
  } finally {
    settled.abort()
  }
}

/** Waits. @param ms duration @throws {CliError} if interrupted */
export async function delay (ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => { throw interrupted() })
}

const interrupted = () => new CliError(EXIT.interrupted, 'interrupted')

function interruption (signal: AbortSignal, settled: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () => reject(interrupted())
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { signal: settled })
  })
}
