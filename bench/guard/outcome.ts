// Outcome of one event under the card guard, at the seam where the server checks it: carried as it is, masked, or refused.
import { isDeepStrictEqual } from 'node:util'
import { checkFrame } from '../../src/protocol/decode.js'

/** An event of a corpus. */
export interface Sample { readonly sender: 'device' | 'backend', readonly type: string, readonly payload: Record<string, unknown> }
export type Outcome = 'carried' | 'masked' | 'refused'

export function outcomeOf ({ sender, type, payload }: Sample): Outcome {
  const sent = { roomId: 'payment_123', ...payload }
  // A copy, as JSON.parse makes one: the guard masks in place.
  const result = checkFrame({ type, payload: structuredClone(sent) }, { sender })
  if ('failure' in result) {
    if (result.failure.code !== 'SENSITIVE_DATA') throw new Error(`${result.failure.message} in ${JSON.stringify(sent)}`)
    return 'refused'
  }
  return isDeepStrictEqual(result.payload, sent) ? 'carried' : 'masked'
}
