// Start of the process: the modules that it loads and the CPU time that it takes stay at the stated figures.
import t from 'tap'
import { loadedModules, measureStarts, readStated, verdict } from '../../bench/start.js'

const stated = readStated()
/** Starts of each server; the least of them counts, since other work on the machine only adds to it. */
const ROUNDS = 4

t.test('a start loads the stated packages, and as many bytes of source', async (t) => {
  t.strictSame(verdict(await loadedModules(), stated), [])
})

t.test('a start takes at most the stated multiples of the CPU time and the memory of a bare Fastify', async (t) => {
  const starts = await measureStarts(['bare Fastify', 'ours'], ROUNDS)
  const least = (key: 'cpu' | 'own') => starts.map((all) => Math.min(...all.map((start) => start[key]))) as [number, number]
  const [[bareCpu, cpu], [bareMemory, memory]] = [least('cpu'), least('own')]
  t.comment(`${Math.round(cpu)} ms, a bare Fastify ${Math.round(bareCpu)} ms: ${(cpu / bareCpu).toFixed(2)} times`)
  t.comment(`${Math.round(memory)} MiB, a bare Fastify ${Math.round(bareMemory)} MiB: ${(memory / bareMemory).toFixed(2)} times`)
  t.ok(cpu < bareCpu * stated.maxTimesFastify, `${(cpu / bareCpu).toFixed(2)} times the CPU time; find what takes it with node --cpu-prof dist/src/server.js`)
  t.ok(memory < bareMemory * stated.maxMemoryTimesFastify, `${(memory / bareMemory).toFixed(2)} times the memory; find what takes it with node --heap-prof dist/src/server.js`)
})

t.test('another package, and bytes outside the tolerance, fail with the command to run', async (t) => {
  const limits = { modules: { '.': 800, ws: 200 }, tolerance: { above: 0.1, below: 0.2 } }
  for (const bytes of [601, 800, 899]) t.strictSame(verdict({ '.': bytes, ws: 200 }, limits), [], `${bytes} bytes are within the tolerance`)
  t.strictSame(verdict({ '.': 1_000 }, limits), [], 'a package less is no fault')
  t.match(verdict({ '.': 800, ws: 200, yaml: 1 }, limits), [/^a start loads yaml: load it where it is used/])
  t.match(verdict({ '.': 901, ws: 200 }, limits), [/1101 bytes of source, and 1000 are stated/])
  t.match(verdict({ '.': 500, ws: 200 }, limits), [/so that it stays so, npm run bench:start/])
})
