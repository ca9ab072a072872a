// Rules of the URL that webhooks are sent to.
import { Failure } from '../errors.js'
import { MAX_WEBHOOK_URL } from '../protocol/fields.js'
import { isPublic, literalIn } from './addresses.js'

/**
 * Checks the URL of a setting or of a room. The addresses behind a name are checked at each connection.
 * @param allowPrivate accepts private addresses, and plain HTTP
 * @returns the rule that the URL breaks: the predicate of a sentence, without any part of the URL
 */
export function destinationFault (text: string, allowPrivate: boolean): string | undefined {
  if (text.length > MAX_WEBHOOK_URL) return `must have at most ${MAX_WEBHOOK_URL} characters`
  if (!URL.canParse(text)) return 'must be a URL'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) return 'must begin with https://'
  if (url.username !== '' || url.password !== '') return 'must not contain a user or a password'
  const address = literalIn(url)
  return address === undefined || allowPrivate || isPublic(address) ? undefined : 'must not be an address of a private network'
}

/** @param isSigned true on a server that signs webhooks; on others nothing would be sent */
export function roomUrlFault (url: string | undefined, { isSigned, allowPrivate }: { isSigned: boolean, allowPrivate: boolean }): Failure | undefined {
  if (url === undefined) return undefined
  const rule = isSigned ? destinationFault(url, allowPrivate) : 'requires a server with the setting WEBHOOK_SECRET'
  return rule === undefined ? undefined : new Failure('INVALID_REQUEST', `webhookUrl ${rule}`, [{ key: 'webhookUrl', rule }])
}
