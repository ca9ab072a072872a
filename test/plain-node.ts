/** Command and arguments that run this in Node.js as it comes: flags of the developer's own in NODE_OPTIONS would print, measure or refuse something else. */
export function plainNode (...args: string[]): [command: string, args: string[]] {
  return ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]]
}
