// Server that takes the webhooks of one provider, and what a shop sees of it.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { build, type BuildOptions } from '../build.js'
import type { Frame } from '../peer.js'
import { ROOM } from './bodies.js'
import { settingsOf, type Delivery, type Sender, type SignOptions } from './senders.js'

const KEY = { authorization: 'Bearer key' }

export interface Receiver {
  readonly app: FastifyInstance
  readonly logs: Awaited<ReturnType<typeof build>>['logs']
  /** Sends a message as the provider. @returns the status, and the text of the body */
  readonly send: (message: object, options?: SignOptions) => Promise<{ status: number, body: string }>
  readonly inject: (delivery: Delivery) => Promise<{ status: number, body: string }>
  /** @returns undefined if the room does not exist */
  readonly state: (roomId?: string) => Promise<Record<string, any> | undefined>
  readonly events: (roomId?: string) => Promise<Frame[]>
  readonly refused: () => Promise<Array<Record<string, unknown>>>
  readonly ask: (method: 'POST' | 'DELETE', url: string, payload?: object) => Promise<number>
}

export async function receiver (t: Test, sender: Sender, { env, ...options }: BuildOptions = {}): Promise<Receiver> {
  const { app, logs } = await build(t, { ...options, env: { API_KEYS: 'key', ...settingsOf(sender), ...env } })
  const inject = async (delivery: Delivery) => {
    const { statusCode, body } = await app.inject(delivery)
    return { status: statusCode, body }
  }
  const read = async (url: string) => (await app.inject({ url, headers: KEY })).json().data
  return {
    app,
    logs,
    inject,
    send: (message, signing) => inject(sender.deliver(message, signing)),
    state: async (roomId = ROOM) => (await read(`/api/rooms/${roomId}/state`))?.state,
    events: async (roomId = ROOM) => (await read(`/api/rooms/${roomId}/events`))?.events ?? [],
    refused: async () => (await read('/api/webhooks/refused')).deliveries,
    ask: async (method, url, payload) => (await app.inject({ method, url, headers: KEY, ...(payload && { payload }) })).statusCode
  }
}
