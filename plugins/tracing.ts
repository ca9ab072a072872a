// Traces of REST requests by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT is set. Otherwise nothing of it is loaded, and it need not be installed.
import fp from 'fastify-plugin'
import { VERSION } from '../src/root.js'

/** What has to be installed beside the server, since most who run it do without. */
const PACKAGES = '@fastify/otel @opentelemetry/api @opentelemetry/exporter-trace-otlp-http @opentelemetry/resources @opentelemetry/sdk-trace-node'

/** ms */
const EXPORT_TIMEOUT = 2_000

export default fp(async (app) => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: name } = app.config
  if (endpoint === undefined) return
  const [{ FastifyOtelInstrumentation }, { OTLPTraceExporter }, { resourceFromAttributes }, { BatchSpanProcessor, NodeTracerProvider }] = await Promise.all([
    import('@fastify/otel'), import('@opentelemetry/exporter-trace-otlp-http'), import('@opentelemetry/resources'), import('@opentelemetry/sdk-trace-node')
  ]).catch((error: unknown) => { throw new Error(`OTEL_EXPORTER_OTLP_ENDPOINT needs npm install ${PACKAGES}`, { cause: error }) })

  // Headers, timeouts and the sampler are read from the standard OTEL_… variables by the libraries themselves.
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': name, 'service.version': VERSION }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces`, timeoutMillis: EXPORT_TIMEOUT }))]
  })
  provider.register()
  const instrumentation = new FastifyOtelInstrumentation({
    instrumentHooks: false,
    // A probe every few seconds says nothing, and a socket is no request: its span would last as long as it does.
    ignorePaths: ({ url }: { url: string }) => !url.startsWith('/api/')
  })
  instrumentation.setTracerProvider(provider)
  await app.register(instrumentation.plugin())
  // What the collector does not take within that time is lost; it does not hold up the end.
  app.addHook('onClose', async () => {
    await provider.shutdown().catch((err: unknown) => app.log.warn({ err }, 'the last traces could not be sent'))
  })
}, { name: 'tracing' })
