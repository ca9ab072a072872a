// Table of the commands by name.
import type { Command } from './command.js'
import { backup } from './backup.js'
import { inspect } from './inspect.js'
import { join } from './join.js'
import { send } from './send.js'
import { simulate } from './simulate.js'
import { start } from './start.js'
import { token } from './token.js'
import { watch } from './watch.js'

export const COMMANDS: ReadonlyMap<string, Command> = new Map(Object.entries({ start, join, watch, send, simulate, token, backup, inspect }))
