// Journal broker: it fulfils the broker contract in each mode, and its rooms outlive the process.
import t from 'tap'
import { DATA_SYNCS } from '../../../src/broker/journal/journal.js'
import { brokerContract } from '../contract.js'
import { freshFolder, Machine } from './fresh.js'

for (const sync of DATA_SYNCS) {
  t.test(`the broker contract, DATA_SYNC=${sync}`, (t) => {
    brokerContract(t, async (t) => {
      const machine = new Machine(freshFolder(t), { sync })
      const { broker } = await machine.start()
      t.teardown(() => broker.close())
      return {
        broker,
        pass: async (ms) => {
          machine.time += ms
          await broker.tick()
        }
      }
    })
    t.end()
  })
}
