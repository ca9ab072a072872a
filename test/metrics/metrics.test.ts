// Metrics in dashboard, alerts and documentation: existing names, with existing labels.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { CLOSE, ERRORS } from '../../src/errors.js'
import { Metrics } from '../../src/metrics/metrics.js'
import { PAYMENT_EVENT_TYPES } from '../../src/protocol/events.js'
import { ROOT } from '../../src/root.js'

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** Names of all metrics as Prometheus stores them, with their labels, those of the scrape included. */
async function known (): Promise<Map<string, string[]>> {
  const metrics = new Metrics()
  metrics.measureProcess()
  const figures = new Map([['up', ['instance', 'job']]])
  for (const { name, type, labelNames } of metrics.registry.getMetricsAsArray() as unknown as Array<{ name: string, type: string, labelNames: string[] }>) {
    const labels = [...labelNames, 'instance', 'job']
    for (const part of type === 'histogram' ? ['_bucket', '_count', '_sum'] : ['']) figures.set(name + part, part === '_bucket' ? [...labels, 'le'] : labels)
  }
  metrics.stop()
  return figures
}

interface Panel { id: number, type: string, title: string, targets?: Array<{ expr: string }>, gridPos: { x: number, y: number } }
interface Dashboard { panels: Panel[] }
interface Alerts { groups: Array<{ rules: Array<{ alert: string, expr: string, labels: { severity: string }, annotations: { summary: string, description: string } }> }> }

const dashboard = JSON.parse(read('deploy/grafana/dashboard.json')) as Dashboard
const alerts = (parse(read('deploy/prometheus/alerts.yaml')) as Alerts).groups.flatMap(({ rules }) => rules)
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const expressions = [...panels.flatMap(({ targets }) => targets!.map(({ expr }) => expr)), ...alerts.map(({ expr }) => expr)]

const FUNCTIONS = new Set(['sum', 'by', 'rate', 'increase', 'histogram_quantile', 'and'])

t.test('every expression uses existing metrics with existing labels', async (t) => {
  const figures = await known()
  t.ok(expressions.length > 20)
  for (const expression of expressions) {
    const bare = expression.replace(/"[^"]*"/g, '""').replace(/\[[^\]]*\]/g, '')
    const grouping = [...bare.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(',').map((label) => label.trim()))
    const matched = [...bare.matchAll(/(\w+)\{([^}]*)\}/g)].flatMap(([, name, matchers]) => matchers!.split(',').map((matcher) => [name!, /^\s*(\w+)/.exec(matcher)![1]!] as const))
    const names = [...bare.replace(/\{[^}]*\}|by \([^)]*\)/g, ' ').matchAll(/[a-z_][a-z_0-9]*/gi)].map(([name]) => name).filter((name) => !FUNCTIONS.has(name))
    t.ok(names.length > 0, expression)
    for (const name of names) {
      t.ok(figures.has(name), `${name} in ${expression}`)
      for (const label of grouping) t.ok(figures.get(name)?.includes(label), `${name} has the label ${label}`)
    }
    for (const [name, label] of matched) t.ok(figures.get(name)?.includes(label), `${name} has the label ${label}`)
  }
})

t.test('every code and type in an expression exists', async (t) => {
  const values = expressions.flatMap((expression) => [...expression.matchAll(/(code|type)=~?"([^"]*)"/g)].flatMap(([, , list]) => list!.split('|')))
  t.ok(values.length >= 6)
  const there = new Set<string>([...Object.keys(ERRORS), ...PAYMENT_EVENT_TYPES, ...Object.values(CLOSE).map(({ code }) => String(code))])
  for (const value of values) t.ok(there.has(value), value)
})

t.test('every metric of the server is on the dashboard', async (t) => {
  const text = panels.flatMap(({ targets }) => targets!.map(({ expr }) => expr)).join(' ')
  for (const name of (await known()).keys()) if (/^wsp_/.test(name) && !/_(sum|count)$/.test(name)) t.ok(text.includes(name), name)
})

t.test('no two panels share a place, and each alert has a severity, a summary and a description', async (t) => {
  t.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  t.equal(new Set(dashboard.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)).size, dashboard.panels.length)
  for (const { alert, labels, annotations } of alerts) t.ok(/^PaymentServer[A-Z]/.test(alert) && /^(critical|warning)$/.test(labels.severity) && annotations.summary && annotations.description, alert)
})

t.test('the documentation lists every metric of the server, with its labels', async (t) => {
  const rows = [...read('docs/rest.md').matchAll(/^\| `(wsp_\w+)` \| (.*?) \|/gm)].map(([, name, labels]) => [name!, labels === '–' ? [] : [...labels!.matchAll(/\w+/g)].map(([label]) => label)] as const)
  const metrics = new Metrics()
  const expected = (metrics.registry.getMetricsAsArray() as unknown as Array<{ name: string, labelNames: string[] }>).map(({ name, labelNames }) => [name, labelNames] as const)
  t.strictSame(rows.map(([name, labels]) => [name, [...labels]]).sort(), expected.map(([name, labels]) => [name, [...labels]]).sort())
})
