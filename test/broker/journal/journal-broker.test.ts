// Journal broker: it fulfils the broker contract in each mode, and its rooms outlive the process.
import t from 'tap'
import { DATA_SYNCS } from '../../../src/broker/journal/data-sync.js'
import { brokerContract, STALL } from '../contract.js'
import { freshFolder, Machine } from './fresh.js'

for (const sync of DATA_SYNCS) {
  t.test(`the broker contract, DATA_SYNC=${sync}`, (t) => {
    brokerContract(t, async (t) => {
      const machine = new Machine(freshFolder(t), { sync })
      const { broker, folder } = await machine.start()
      t.teardown(() => broker.close())
      return {
        broker,
        pass: async (ms) => {
          // Ticks come at intervals.
          for (let left = ms; left > 0; left -= STALL / 2) {
            machine.time += Math.min(left, STALL / 2)
            await broker.tick()
          }
          await new Promise<void>((resolve) => { folder.journal.whenSynced(resolve) })
        }
      }
    })
    t.end()
  })
}
