// A reader of server-sent events for tests, with just enough of the format to see the messages.
import { once } from 'node:events'
import http from 'node:http'
import type { Test } from 'tap'

/** A message with its fields as they came; `data` is parsed. */
export interface StreamMessage<T> { id?: string, event?: string, data: T }

/** Opens a stream, and reads it until the test ends. */
export async function readStream<T> (t: Test, port: number, path: string, headers: Record<string, string> = {}) {
  const request = http.get({ port, host: '127.0.0.1', path, headers: { accept: 'text/event-stream', ...headers } })
  t.teardown(() => request.destroy())
  request.on('error', () => { /* the request is destroyed by the test */ })
  const [answer] = await once(request, 'response') as [http.IncomingMessage]
  let text = ''
  answer.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('error', () => { /* cut off */ })
  const messages = (): Array<StreamMessage<T>> => text.split('\n\n').slice(0, -1).filter((block) => block.includes('data: ')).map((block) => {
    const { id, event, data } = Object.fromEntries(block.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]))
    return { ...(id !== undefined && { id }), ...(event !== undefined && { event }), data: JSON.parse(data!) as T }
  })
  return { answer, request, messages, text: () => text, ended: new Promise((resolve) => answer.on('close', resolve)) }
}
