// Churn soak test: payments that come and go for a given time, with reloads and cut connections. Memory and file descriptors must not grow.
// `npm run soak:churn -- --minutes 30`; exit code 1 if they do.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Device, EVENTS_PER_PAYMENT } from './devices.js'
import { build, ServerUnderTest } from './process.js'

/** Largest number of concurrent payments. */
const AT_ONCE = 64
/** Payments that begin per second. A fixed rate: the number of rooms, and with it the memory, must not depend on the load of the machine. */
const RATE = 250
/** Retention of rooms, s: after a few of these, as many rooms end as begin. */
const RETENTION = 20
/** Memory growth allowed from the second third of the run to the last, as a share. */
const TOLERANCE = 0.05
/** Descriptors allowed at the end beside those of the start: those of this program's own requests. */
const LEFT = 8

const { values: { minutes } } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } })
if (!(Number(minutes) >= 3)) {
  console.error('usage: npm run soak:churn -- --minutes 30 (at least 3)')
  process.exit(64)
}
build()
process.exitCode = await churn(Number(minutes)) ? 0 : 1

/** @returns whether memory and descriptors stayed within the limits */
async function churn (minutes: number): Promise<boolean> {
  const server = await ServerUnderTest.start({ ROOM_RETENTION_SECONDS: String(RETENTION), PRESENCE_GRACE_SECONDS: '2' })
  try {
    const before = server.descriptors
    const start = Date.now()
    const end = start + minutes * 60_000
    let payments = 0
    const work = Array.from({ length: AT_ONCE }, async () => {
      while (Date.now() < end) {
        const payment = payments++
        await sleep(start + payment / RATE * 1_000 - Date.now())
        await pay(server.url, `payment_${payment}`)
      }
    })
    const memory: number[] = []
    console.log('minute  payments  MiB  descriptors')
    for (let minute = 1; minute <= minutes; minute++) {
      await sleep(end - (minutes - minute) * 60_000 - Date.now())
      memory.push(await server.memory() / 2 ** 20)
      console.log(`${String(minute).padStart(6)}  ${String(payments).padStart(8)}  ${memory.at(-1)!.toFixed(1)}  ${server.descriptors}`)
    }
    await Promise.all(work)
    await sleep(1_000)
    const third = Math.floor(memory.length / 3)
    const mean = (part: number[]) => part.reduce((sum, value) => sum + value, 0) / part.length
    const growth = mean(memory.slice(-third)) / mean(memory.slice(-2 * third, -third)) - 1
    const after = server.descriptors
    console.log(`${payments} payments, ${payments * EVENTS_PER_PAYMENT} events; memory ${growth >= 0 ? '+' : ''}${(growth * 100).toFixed(1)} % from the second third to the last; descriptors ${before} before, ${after} after`)
    return growth <= TOLERANCE && after <= before + LEFT
  } finally {
    await server.stop()
  }
}

/** Runs one payment: a shop that watches and reloads once, and a phone whose connection is cut halfway. In the end both close their sockets. */
async function pay (url: string, roomId: string): Promise<void> {
  const shop = await entered(url, roomId, 'device_1')
  const phone = await entered(url, roomId, 'device_2')
  const half = EVENTS_PER_PAYMENT / 2
  for (let n = 0; n < half; n++) await phone.publish(n)
  phone.cut()
  const [again, reloaded] = await Promise.all([entered(url, roomId, 'device_2'), entered(url, roomId, 'device_1')])
  shop.cut()
  for (let n = half; n < EVENTS_PER_PAYMENT; n++) await again.publish(n)
  await Promise.all([again.leave(), reloaded.leave()])
}

async function entered (url: string, roomId: string, deviceId: string): Promise<Device> {
  const device = await Device.connect(url, roomId, deviceId)
  await device.join()
  return device
}
