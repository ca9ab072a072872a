// backup: copies the journal of a running or stopped server.
import { backUp } from '../broker/journal/backup.js'
import { command } from './command.js'
import { usageError } from './cli-error.js'
import { onFolder } from './journal-error.js'
import { SHARED } from './options.js'
import { Printer } from './terminal.js'

export const backup = command({
  summary: 'copies the journal in DATA_DIR, also while the server runs',
  words: ['<folder>'],
  note: 'The copy is checked record by record. A server that starts on it begins new epochs: clients that were ahead of it get recovered: false.',
  example: '/backups/2026-11-30',
  options: {
    data: { type: 'string', value: '<folder>', help: 'folder of the journal; default: DATA_DIR in the environment' },
    json: SHARED.json
  },
  run: async ([to], { data, json }, terminal) => {
    const from = data ?? terminal.env.DATA_DIR
    if (!from) throw usageError('backup requires DATA_DIR in the environment, or --data')
    const { segments, bytes } = onFolder(() => backUp({ from, to: to! }))
    new Printer(terminal, json).tell('backup', { from, to, segments, bytes }, 'done', `${segments} segments, ${bytes} bytes, in ${to}`)
    return 0
  }
})
