/**
 * The command and the arguments that run this in Node.js as a user has it. Tap hands its loader on to every child, whatever environment that is given:
 * it counts lines, listens to signals, and reads each module a second time, which is most of what a small process does.
 */
export function plainNode (...args: string[]): [command: string, args: string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]]
}
