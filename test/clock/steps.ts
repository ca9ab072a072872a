// Steps of the wall clock, by a minute and by a day, and an app under them. While a test that imports this runs, its process has the clock below.
import { mock } from 'node:test'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { build } from '../build.js'
import { Peer } from '../peer.js'

export const [MINUTE, DAY] = [60_000, 86_400_000]

export interface Step { readonly name: string, readonly by: number, /** Set right again as soon as time passes. */ readonly andBack?: boolean }
export const STEPS: readonly Step[] = [
  { name: 'a minute back', by: -MINUTE },
  { name: 'a minute forward', by: MINUTE },
  { name: 'a day back', by: -DAY },
  { name: 'a day forward', by: DAY },
  { name: 'a day back, and forward again', by: -DAY, andBack: true },
  { name: 'a day forward, and back again', by: DAY, andBack: true }
]

// Time stands still unless the test moves it, for all reads of the wall clock in this process.
export const START = Date.UTC(2026, 10, 24)
export const clock = { passed: 0, off: 0 }
export const wall = (): number => START + clock.passed + clock.off
export const dateNow = Date.now
t.before(() => { Date.now = wall })
t.teardown(() => { Date.now = dateNow })

export const API_KEY = 'key'
export const KEY = { authorization: `Bearer ${API_KEY}` }
export const TOKENS = { TOKEN_SECRET: 'a secret with at least 32 bytes of it', API_KEYS: API_KEY }

/** Starts an app whose wall clock is not off yet. Its monotonic clock begins elsewhere, as a real one does. */
export async function start (t: Test, step: Step, env: Record<string, string> = {}) {
  clock.off = clock.passed = 0
  const { app } = await build(t, { env, monotonic: () => 5_000 + clock.passed })
  return {
    app,
    connect: () => Peer.inject(t, app),
    /** Sets the wall clock. */
    step: () => { clock.off = step.by },
    /** Advances time. */
    pass: (ms: number) => {
      if (step.andBack) clock.off = 0
      clock.passed += ms
    },
    rest: async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object, headers: Record<string, string> = {}) => {
      const answer = await app.inject({ method, url, ...(payload && { payload }), headers })
      return { status: answer.statusCode, data: answer.body === '' ? undefined : answer.json().data }
    }
  }
}

export type World = Awaited<ReturnType<typeof start>>

export interface Timer {
  readonly what: string
  readonly env?: Record<string, string>
  readonly holds: (t: Test, world: World) => Promise<void>
}

/** Runs the checks that are due about once a second, now. */
export async function tick (app: FastifyInstance): Promise<void> {
  mock.timers.tick(1_000)
  await app.broker.tick()
}

export const event = { type: 'CLICKED_PAY', payload: {} }
