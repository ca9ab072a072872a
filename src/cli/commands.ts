// Table of the commands by name.
import type { Command } from './command.js'
import { backup } from './backup.js'
import { close } from './close.js'
import { completionOf } from './completion.js'
import { inspect } from './inspect.js'
import { join } from './join.js'
import { rooms } from './list-rooms.js'
import { report } from './report.js'
import { send } from './send.js'
import { show } from './show.js'
import { simulate } from './simulate.js'
import { start } from './start.js'
import { token } from './token.js'
import { watch } from './watch.js'

export const COMMANDS: ReadonlyMap<string, Command> = new Map(Object.entries({
  start, join, watch, send, simulate, token, rooms, show, report, close, backup, inspect, completion: completionOf(() => COMMANDS)
}))
