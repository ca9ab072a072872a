// OpenTelemetry traces of REST requests, if OTEL_EXPORTER_OTLP_ENDPOINT is set. Otherwise no tracing package is loaded or has to be installed.
import fp from 'fastify-plugin'
import { VERSION } from '../src/root.js'

/** Packages to install beside the server; optional, since most deployments do without traces. */
const PACKAGES = '@fastify/otel @opentelemetry/api @opentelemetry/exporter-trace-otlp-http @opentelemetry/resources @opentelemetry/sdk-trace-node'

/** Timeout of an export, ms. */
const EXPORT_TIMEOUT = 2_000

export default fp(async (app) => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: name } = app.config
  if (endpoint === undefined) return
  const [{ FastifyOtelInstrumentation }, { OTLPTraceExporter }, { resourceFromAttributes }, { BatchSpanProcessor, NodeTracerProvider }] = await Promise.all([
    import('@fastify/otel'), import('@opentelemetry/exporter-trace-otlp-http'), import('@opentelemetry/resources'), import('@opentelemetry/sdk-trace-node')
  ]).catch((error: unknown) => { throw new Error(`OTEL_EXPORTER_OTLP_ENDPOINT requires npm install ${PACKAGES}`, { cause: error }) })

  // The libraries read headers, timeouts and the sampler from the standard OTEL_… variables.
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': name, 'service.version': VERSION }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces`, timeoutMillis: EXPORT_TIMEOUT }))]
  })
  provider.register()
  const instrumentation = new FastifyOtelInstrumentation({
    instrumentHooks: false,
    // Probes arrive every few seconds and say nothing; a socket is no request, and its span would last as long as the socket.
    ignorePaths: ({ url }: { url: string }) => !url.startsWith(`${app.prefix}/api/`)
  })
  instrumentation.setTracerProvider(provider)
  await app.register(instrumentation.plugin())
  // Spans that the collector does not accept within EXPORT_TIMEOUT are lost; they do not delay the shutdown.
  app.addHook('onClose', async () => {
    await provider.shutdown().catch((err: unknown) => app.log.warn({ err }, 'the last traces were not exported'))
  })
}, { name: 'tracing' })
