// Files of deploy/ and docker-compose.yml agree with the code: settings, ports, probes, grace periods, limits, names.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { ConfigSchema, loadConfig } from '../src/config.js'
import { ROOT } from '../src/root.js'
import { build } from './build.js'
import { MAX_BATCH_BYTES } from '../src/protocol/rest-rooms.js'

// Manifests have every shape; a missing value fails the test.
type Yaml = any

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')
const yaml = (file: string): Yaml => parse(read(file), { merge: true, strict: true, uniqueKeys: true })
const defaults = loadConfig({})
/** Largest body of a webhook, bytes; test/providers/route.test.ts holds it. */
const MAX_WEBHOOK = 512 * 1024
const { paths } = yaml('openapi.yaml') as { paths: Record<string, { get?: object }> }
const dockerfile = read('Dockerfile')
const nginx = read('deploy/nginx/nginx.conf').replace(/^ *#.*$/gm, '')
const compose = yaml('docker-compose.yml')
const k8s = Object.fromEntries(readdirSync(join(ROOT, 'deploy/k8s')).filter((name) => name.endsWith('.yaml')).map((name) => [name.replace(/(\.example)?\.yaml$/, ''), yaml(`deploy/k8s/${name}`)])) as Record<string, Yaml>
const unit = read('deploy/systemd/ws-payment-server.service')

/** Seconds in `15s`. */
const seconds = (text: string): number => Number(/^(\d+)s$/.exec(text)?.[1])
/** Bytes in `32k`. */
const bytes = (text: string): number => Number(/^(\d+)k$/.exec(text)?.[1]) * 1024
/** Values of a directive in the whole file. */
const directive = (name: string): string[] => [...nginx.matchAll(new RegExp(`^\\s*${name} (.*?);`, 'gm'))].map(([, value]) => value!)
const one = (name: string): string => {
  const values = directive(name)
  if (values.length !== 1) throw new Error(`${name} is there ${values.length} times`)
  return values[0]!
}
/** Loads the settings of a container or a unit, which the server must accept. A reference to a variable counts as its default. */
function load (settings: Record<string, string>) {
  for (const name of Object.keys(settings)) if (!(name in ConfigSchema.properties)) throw new Error(`there is no setting ${name}`)
  return loadConfig(Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, value.replace(/\$\{\w+:-([^}]*)\}/g, '$1')])))
}
/** Image with an exact version, not `latest`. */
const PINNED = /^[\w./-]+:\d+(\.\d+)+(-[\w.]+)?$/

t.test('nginx: timeouts are longer than two heartbeats, and bodies may be larger than a message', async (t) => {
  for (const name of ['proxy_read_timeout', 'proxy_send_timeout', 'send_timeout']) t.ok(seconds(one(name)) >= 2 * defaults.HEARTBEAT_SECONDS, name)
  t.strictSame(directive('client_max_body_size').map(bytes), [2 * defaults.MAX_MESSAGE_BYTES, 2 * MAX_BATCH_BYTES, 2 * MAX_WEBHOOK], 'the node answers with 413 before nginx does')
  t.strictSame(directive('client_body_buffer_size'), directive('client_max_body_size'), 'a body is never buffered on disk')
  t.ok(Number(one('worker_rlimit_nofile')) > Number(one('worker_connections')))
  t.notMatch(nginx, /non_idempotent|ip_hash|sticky|proxy_add_x_forwarded_for/)
  for (const value of directive('proxy_next_upstream')) t.match(value, /^error timeout( http_503)?$/)
})

t.test('nginx: both groups have the same nodes, and sockets never mark a node as failed', async (t) => {
  const groups = Object.fromEntries([...nginx.matchAll(/upstream (\w+) \{([^}]*)\}/g)].map(([, name, body]) =>
    [name, { body: body!, servers: [...body!.matchAll(/server (\S+) /g)].map(([, server]) => server!) }])) as Record<string, { body: string, servers: string[] }>
  t.strictSame(Object.keys(groups), ['lasting', 'brief'])
  t.strictSame(groups.lasting!.servers, groups.brief!.servers)
  for (const line of groups.lasting!.body.match(/server .*/g)!) t.match(line, /max_fails=0/)
  t.strictSame([...new Set(directive('proxy_pass'))].sort(), ['http://brief', 'http://lasting'])

  const nodes = Object.keys(compose.services).filter((name) => name.startsWith('node'))
  t.strictSame(groups.lasting!.servers, nodes.map((name) => `${name}:${defaults.PORT}`), 'the nodes of docker-compose.yml')
  t.strictSame(Object.keys(compose.services.nginx.depends_on), nodes)
  t.equal(compose.services.nginx.ports.join(), `\${PUBLISH:-127.0.0.1:8080}:${one('listen').split(' ')[0]}`)
})

t.test('nginx: a location that sets a header repeats all common headers', async (t) => {
  const headers = (text: string) => [...text.matchAll(/proxy_set_header (\S+) (.*?);/g)].map(([, name, value]) => `${name} ${value}`)
  const [top, ...locations] = nginx.split('location ')
  t.equal(locations.length, 5)
  const common = headers(top!).filter((header) => !header.startsWith('Connection'))
  for (const location of locations) {
    const own = headers(location)
    if (own.length > 0) for (const header of common) t.ok(own.includes(header), `the location repeats ${header}`)
  }
  const regex = new RegExp(/location ~ (\S+) /.exec(nginx)![1]!)
  t.strictSame(Object.keys(paths).filter((path) => regex.test(path)), ['/api/rooms/{roomId}/events'], 'the location of streams matches the path of the events')
})

t.test('docker-compose.yml: settings, grace periods and health checks agree with the server, and permissions are minimal', async (t) => {
  const services = Object.entries(compose.services) as Array<[string, Yaml]>
  for (const [name, service] of services) {
    t.match(service, { restart: 'unless-stopped', init: true, read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }, name)
    t.ok(service.healthcheck.test[0] === 'CMD', `${name} has a health check`)
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {}) as Array<[string, { condition: string }]>) {
      t.ok(other in compose.services, `${name} waits for ${other}`)
      t.equal(condition, 'service_healthy')
    }
    for (const network of service.networks) t.ok(network in compose.networks)
    for (const volume of service.volumes ?? []) {
      const [source] = volume.split(':')
      t.ok(source.startsWith('.') ? existsSync(join(ROOT, source)) : source in compose.volumes, volume)
    }
    if (service.build === undefined) t.match(service.image, PINNED)
    t.equal('ports' in service, name === 'nginx')
  }
  const { node1, node2, redis, nginx: front } = compose.services
  t.strictSame(node1, node2)
  const config = load(node1.environment)
  t.equal(config.PORT, defaults.PORT)
  t.equal(config.TRUST_PROXY, 'uniquelocal', 'the address of nginx is trusted, so that each client has its own limits')
  t.ok(seconds(node1.stop_grace_period) > config.SHUTDOWN_GRACE_SECONDS)
  const { password } = new URL(config.REDIS_URL!)
  t.equal(config.REDIS_URL, `redis://wsp:${password}@redis:6379`)
  t.strictSame(Object.values(redis.environment).map((value) => String(value).replace(/\$\{\w+:-([^}]*)\}/g, '$1')), [password, password])
  t.match(redis.command.slice(0, 2), ['sh', '/usr/local/etc/redis/start.sh'])
  t.ok(redis.volumes.includes('./deploy/redis:/usr/local/etc/redis:ro'))
  t.strictSame(redis.healthcheck.test.slice(-3), ['--user', 'wsp', 'ping'])
  t.match(node1.healthcheck.test[3], `127.0.0.1:${config.PORT}/ready'`)
  t.match(front.healthcheck.test.at(-1), `127.0.0.1:${one('listen').split(' ')[0]}/health`)
  t.ok('/ready' in paths && '/health' in paths)
  t.strictSame(front.networks.filter((name: string) => redis.networks.includes(name)), [], 'nginx cannot reach Redis')
  for (const network of redis.networks) t.equal(compose.networks[network].internal, true)
  const command = redis.command.join(' ')
  for (const setting of ['--appendonly yes', '--appendfsync everysec', '--maxmemory-policy noeviction']) t.ok(command.includes(setting), setting)
  t.ok(Number(/^redis:(\d+)/.exec(redis.image)![1]) >= 7, 'Redis is new enough for sharded channels')
})

t.test('deploy/single: one node with its journal in a volume that its user may write', async (t) => {
  const { services: { node }, volumes } = yaml('deploy/single/docker-compose.yml')
  const config = load(node.environment)
  t.equal(config.REDIS_URL, undefined)
  t.strictSame(node.volumes, [`data:${config.DATA_DIR}`])
  t.ok('data' in volumes)
  t.match(dockerfile, `mkdir -m 0700 ${config.DATA_DIR} && chown node:node ${config.DATA_DIR}\nUSER node\n`)
  t.ok(seconds(node.stop_grace_period) > config.SHUTDOWN_GRACE_SECONDS)
  for (const [key, value] of Object.entries({ restart: 'unless-stopped', init: true, read_only: true, cap_drop: ['ALL'] })) t.strictSame(node[key], value, key)
  t.match(node.healthcheck.test[3], `127.0.0.1:${config.PORT}/ready'`)
})

t.test('Kubernetes: all objects have one name, and every reference exists', async (t) => {
  const { kustomization, deployment, service, ingress, pdb, hpa, networkpolicy, configmap, secret } = k8s
  for (const file of kustomization.resources) t.ok(existsSync(join(ROOT, 'deploy/k8s', file)), file)
  t.strictSame([...kustomization.resources].sort(), Object.keys(k8s).filter((name) => !['kustomization', 'secret'].includes(name)).map((name) => `${name}.yaml`).sort())
  const { name } = deployment.metadata
  for (const { kind, metadata } of [deployment, service, ingress, pdb, hpa, networkpolicy, configmap, secret]) t.equal(metadata.name, name, kind)
  const labels = deployment.spec.template.metadata.labels
  const selectors = [deployment.spec.selector.matchLabels, service.spec.selector, pdb.spec.selector.matchLabels, networkpolicy.spec.podSelector.matchLabels]
  const { spec } = deployment.spec.template
  for (const selector of [...selectors, ...spec.topologySpreadConstraints.map((constraint: Yaml) => constraint.labelSelector.matchLabels)]) t.strictSame(selector, labels)
  t.strictSame(hpa.spec.scaleTargetRef, { apiVersion: deployment.apiVersion, kind: deployment.kind, name })
  t.notOk('replicas' in deployment.spec, 'the autoscaler sets the number of replicas')
  t.strictSame(hpa.spec.metrics.map(({ type }: Yaml) => type), ['Resource'])
})

t.test('Kubernetes: the autoscaler, the adapter and Prometheus use metrics that /metrics serves', async (t) => {
  const { app } = await build(t)
  const served = new Map([...(await app.inject('/metrics')).body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]))
  const { hpa, deployment } = k8s
  const component = yaml('deploy/k8s/connections/kustomization.yaml')
  t.strictSame(component.patches[0].target, { kind: hpa.kind, name: hpa.metadata.name })
  const added = parse(component.patches[0].patch) as Yaml[]
  t.match(added, [{ op: 'add', path: '/spec/metrics/-', value: { type: 'Pods' } }])
  const { rules } = yaml('deploy/k8s/connections/prometheus-adapter.yaml')
  for (const { value: { pods } } of added) {
    t.equal(served.get(pods.metric.name), 'gauge', `${pods.metric.name} is served at /metrics, as a gauge`)
    t.ok(rules.some(({ name }: Yaml) => name.as === pods.metric.name), `the adapter serves ${pods.metric.name}`)
  }
  for (const { seriesQuery, name, resources } of rules) {
    const series = /^\w+/.exec(seriesQuery)![0]
    t.ok(served.has(series), `${series} is served at /metrics`)
    t.match(series, new RegExp(name.matches))
    t.strictSame(Object.keys(resources.overrides), ['namespace', 'pod'])
  }

  const [pods] = yaml('deploy/prometheus/scrape-kubernetes.yaml').scrape_configs
  const [nodes] = yaml('deploy/prometheus/scrape.yaml').scrape_configs
  t.equal(pods.job_name, nodes.job_name, 'the alerts ask for the job by its name')
  t.strictSame(pods.authorization, nodes.authorization)
  const regexOf = (label: string) => pods.relabel_configs.find((rule: Yaml) => rule.source_labels[0] === `__meta_kubernetes_${label}`).regex
  t.equal(regexOf('pod_label_app_kubernetes_io_name'), deployment.spec.template.metadata.labels['app.kubernetes.io/name'])
  t.equal(regexOf('pod_container_port_name'), deployment.spec.template.spec.containers[0].ports[0].name)
  for (const label of ['namespace', 'pod']) t.ok(pods.relabel_configs.some((rule: Yaml) => rule.target_label === label), `the adapter finds a pod by its ${label}`)
})

t.test('Kubernetes: the network policy allows exactly the traffic that the server serves and uses', async (t) => {
  const { networkpolicy, deployment, configmap, secret } = k8s
  const { ingress, egress, policyTypes } = networkpolicy.spec
  const settings = load({ ...configmap.data, ...secret.stringData })
  const served = deployment.spec.template.spec.containers[0].ports.find(({ containerPort }: Yaml) => containerPort === settings.PORT)
  const namespaces = (peers: Yaml[]) => peers.map(({ namespaceSelector }) => namespaceSelector?.matchLabels['kubernetes.io/metadata.name'])
  t.strictSame(policyTypes, ['Ingress', 'Egress'])
  t.strictSame(ingress.map(({ from, ports }: Yaml) => [...namespaces(from), ...ports.map(({ protocol, port }: Yaml) => `${protocol} ${port}`)]), [
    ['ingress-nginx', `TCP ${served.name}`],
    ['monitoring', `TCP ${served.name}`]
  ])
  t.match(ingress[1].from, [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }], 'only Prometheus is allowed from the namespace monitoring')

  const endpoint = new URL(/^ +# OTEL_EXPORTER_OTLP_ENDPOINT: (\S+)$/m.exec(read('deploy/k8s/configmap.yaml'))![1]!)
  load({ ...configmap.data, ...secret.stringData, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.href })
  t.strictSame(egress.map(({ to, ports }: Yaml) => [...namespaces(to), ...ports.map(({ protocol, port }: Yaml) => `${protocol} ${port}`)]), [
    ['kube-system', 'UDP 53', 'TCP 53'],
    [undefined, `TCP ${new URL(settings.REDIS_URL!).port}`, 'TCP 26379'],
    [endpoint.hostname.split('.')[1], `TCP ${endpoint.port}`]
  ])
  for (const { to } of egress) t.equal(to.length, 1, 'every rule names one destination')
})

t.test('Kubernetes: settings, ports, probes and grace periods agree with the server', async (t) => {
  const { deployment, service, ingress, configmap, secret } = k8s
  const { spec } = deployment.spec.template
  const [container] = spec.containers
  const config = load({ ...configmap.data, ...secret.stringData })
  t.equal(container.ports[0].containerPort, config.PORT)
  const port = container.ports[0].name
  t.equal(service.spec.ports[0].targetPort, port)
  t.strictSame(ingress.spec.rules[0].http.paths[0].backend.service, { name: service.metadata.name, port: { name: service.spec.ports[0].name } })
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    t.equal(container[probe].httpGet.port, port)
    t.ok(paths[container[probe].httpGet.path]?.get, probe)
  }
  t.equal(container.readinessProbe.httpGet.path, '/ready')
  t.equal(container.livenessProbe.httpGet.path, '/health', 'a loss of Redis does not restart the pod')
  const preStop = Number(container.lifecycle.preStop.exec.command[1])
  t.ok(preStop >= container.readinessProbe.periodSeconds)
  t.ok(spec.terminationGracePeriodSeconds > preStop + config.SHUTDOWN_GRACE_SECONDS)
  t.match(deployment.spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 })
  t.strictSame(container.envFrom, [{ configMapRef: { name: configmap.metadata.name } }, { secretRef: { name: secret.metadata.name } }])
  t.match(spec.securityContext, { runAsNonRoot: true, runAsUser: 1000 })
  t.match(container.securityContext, { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } })
  t.match(container.image, PINNED)
  const annotation = (key: string) => ingress.metadata.annotations[`nginx.ingress.kubernetes.io/${key}`]
  for (const key of ['proxy-read-timeout', 'proxy-send-timeout']) t.ok(Number(annotation(key)) >= 2 * config.HEARTBEAT_SECONDS, key)
  t.equal(bytes(annotation('proxy-body-size')), 2 * MAX_WEBHOOK)
})

t.test('systemd: the unit has the command of the image, its grace period, and no restart after bad settings', async (t) => {
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1]
  const command = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)![1]!) as string[]
  t.equal(setting('ExecStart'), `/usr/bin/${command.join(' ')}`)
  t.ok(JSON.parse(read('package.json')).scripts.start.endsWith(`exec ${command.join(' ')}`), 'npm start runs it as well')
  t.equal(setting('Environment'), /^ENV (.*)$/m.exec(dockerfile)![1])
  t.match(unit, `\nEnvironment=DATA_DIR=%S/${setting('StateDirectory')}\n`, 'the journal is in the folder that systemd keeps for the service')
  t.equal(setting('StateDirectoryMode'), '0700')
  t.ok(Number(setting('TimeoutStopSec')) > defaults.SHUTDOWN_GRACE_SECONDS)
  t.equal(setting('RestartPreventExitStatus'), /EX_CONFIG = (\d+)/.exec(read('src/server.ts'))![1])
  t.equal(setting('MemoryDenyWriteExecute'), 'no')
  for (const name of ['NoNewPrivileges', 'DynamicUser']) t.equal(setting(name), 'yes')
})

t.test('the image exposes the default port and runs as node', async (t) => {
  t.equal(/^EXPOSE (.*)$/m.exec(dockerfile)![1], String(defaults.PORT))
  t.match(dockerfile, /^USER node$/m)
})

t.test('the build context holds exactly the files that the image copies', async (t) => {
  const sent = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path]) => path!)
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) => paths!.split(' '))
  t.strictSame(sent.sort(), [...new Set(copied)].sort())
})

t.test('the release workflow runs existing scripts, and publishes both packages with their provenance', async (t) => {
  const manifests = ['package.json', 'packages/client/package.json'].map((file) => JSON.parse(read(file)) as Yaml)
  const { on, jobs, permissions } = yaml('.github/workflows/release.yml')
  const changesets = JSON.parse(read('.changeset/config.json')) as { baseBranch: string, access: string, fixed: string[][] }
  t.strictSame(on.push.branches, [changesets.baseBranch])
  const { with: { version, publish }, env } = jobs.release.steps.find(({ uses = '' }: Yaml) => uses.startsWith('changesets/action@'))
  for (const command of [version, publish]) t.ok(/^npm run (\S+)$/.exec(command)![1]! in manifests[0].scripts, command)
  t.equal(permissions['id-token'], 'write')
  t.match(env.NPM_TOKEN, /secrets\.NPM_TOKEN/)
  for (const { name, private: isPrivate, publishConfig, version } of manifests) {
    t.equal(isPrivate, undefined, `${name} is published`)
    t.strictSame(publishConfig, { access: 'public', provenance: true })
    t.equal(version, manifests[0].version)
  }
  t.strictSame(changesets.fixed, [manifests.map(({ name }) => name)])
})

t.test('Kubernetes with one node: a StatefulSet with a volume takes the place of the Deployment, and is the same otherwise', async (t) => {
  const { deployment, service, hpa, configmap, secret } = k8s
  const kustomization = yaml('deploy/k8s-single/kustomization.yaml')
  const statefulset = yaml('deploy/k8s-single/statefulset.yaml')
  t.strictSame(kustomization.resources, ['../k8s', 'statefulset.yaml'])
  const removals = [deployment, hpa].map(({ apiVersion, kind, metadata: { name } }) => ({ apiVersion, kind, metadata: { name }, $patch: 'delete' }))
  t.strictSame(kustomization.patches.map(({ patch }: Yaml) => parse(patch)), removals)
  t.equal(statefulset.kind, 'StatefulSet')
  t.equal(statefulset.spec.replicas, 1)
  t.equal(statefulset.spec.serviceName, service.metadata.name)
  const partsOf = ({ metadata, spec: { selector, template } }: Yaml) => [metadata, selector, template.metadata]
  t.strictSame(partsOf(statefulset), partsOf(deployment))

  const { securityContext: { fsGroup, fsGroupChangePolicy, ...security }, containers: [{ env, volumeMounts, ...container }], ...pod } = statefulset.spec.template.spec
  const { topologySpreadConstraints, securityContext, containers, ...other } = deployment.spec.template.spec
  t.strictSame([pod, security, container], [other, securityContext, containers[0]], 'what is not about the volume or several pods is the same')
  t.strictSame([fsGroup, fsGroupChangePolicy], [security.runAsGroup, 'OnRootMismatch'])
  const [claim] = statefulset.spec.volumeClaimTemplates
  t.strictSame(claim.spec.accessModes, ['ReadWriteOncePod'])
  const [mount] = volumeMounts
  t.equal(mount.name, claim.metadata.name)
  const { REDIS_URL, ...secrets } = secret.stringData
  t.ok(REDIS_URL)
  const config = load({ ...configmap.data, ...secrets, ...Object.fromEntries(env.map(({ name, value }: Yaml) => [name, value])) })
  t.equal(config.DATA_DIR, `${mount.mountPath}/journal`)
})
