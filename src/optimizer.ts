// V8's optimizing compiler. After a deploy or a crash all clients come back within seconds, and most of what serves them is code that V8 has not optimized yet.
import { setFlagsFromString } from 'node:v8'

/** Calls of a function before it is optimized; 3,000 by default. */
const CALLS = '--invocation-count-for-turbofan=1000'

/**
 * Flags by the major version of Node.js on which they were measured. V8 prints a line for a flag that it does not know. On Node.js 20 a function is optimized by the
 * bytes of its code that were run, a quarter of the default here, and takes in four times as much of the functions that it calls; later versions gain nothing by that.
 */
const FLAGS: Readonly<Record<number, readonly string[]>> = {
  20: ['--interrupt-budget=17000', '--max-inlined-bytecode-size-cumulative=4000'], 22: [CALLS], 24: [CALLS], 26: [CALLS]
}

/** Has functions optimized after a third of the calls, or a quarter, for as long as the process lasts. Not for a start, most of whose functions are never called again. */
export function optimizeEarlier (version = process.versions.node): void {
  for (const flag of FLAGS[Number.parseInt(version)] ?? []) setFlagsFromString(flag)
}

/**
 * Has no further function optimized. A process that ends would not win back the cost: while it optimized, a node took 1.4 times as long to close 1,000 sockets, and
 * 1.2 times for 2,000 (test/e2e/balancer.test.ts).
 */
export function stopOptimizing (): void { setFlagsFromString('--no-opt') }
