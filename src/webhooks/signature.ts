// Signature of a webhook, by the Standard Webhooks specification (https://www.standardwebhooks.com) and its library.

/** Prefix of a secret. */
const PREFIX = 'whsec_'
/** Length of a secret, bytes. */
const MIN_BYTES = 24
const MAX_BYTES = 64

/** @returns the rule that a secret breaks: the predicate of a sentence, without the secret */
export function secretFault (secret: string): string | undefined {
  const encoded = secret.slice(PREFIX.length)
  const bytes = Buffer.from(encoded, 'base64')
  const isSecret = secret.startsWith(PREFIX) && bytes.toString('base64') === encoded && bytes.length >= MIN_BYTES && bytes.length <= MAX_BYTES
  return isSecret ? undefined : `must be ${PREFIX} and then ${MIN_BYTES} to ${MAX_BYTES} bytes in base64`
}

/**
 * Signs a webhook. @returns the value of `webhook-signature`: a signature for each secret, with spaces between them
 * @param timestamp ms since the epoch
 */
export type Sign = (id: string, timestamp: number, body: string) => string

/**
 * Loads the library.
 * @param secrets all of them sign: during a rotation the receiver may have any of them
 */
export async function loadSignature (secrets: readonly string[]): Promise<Sign> {
  const { Webhook } = await import('standardwebhooks')
  const webhooks = secrets.map((secret) => new Webhook(secret))
  return (id, timestamp, body) => webhooks.map((webhook) => webhook.sign(id, new Date(timestamp), body)).join(' ')
}
