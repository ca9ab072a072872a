/** Command that runs Node.js with these arguments and without NODE_OPTIONS, whose flags could change the output. */
export function plainNode (...args: string[]): [command: string, args: string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]]
}
