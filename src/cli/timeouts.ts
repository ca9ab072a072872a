// Waiting that ends: with what was waited for, after a time, or when the user has had enough.
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT, CliError } from './cli-error.js'

/**
 * @param seconds how long to wait
 * @param late what it means if that was too short
 * @throws {CliError} `late`, or that it was interrupted
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

/** Lets time pass. @param ms how much @throws {CliError} where it is interrupted */
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
