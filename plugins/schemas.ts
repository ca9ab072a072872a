// Shared schemas of the routes, and the compilers of all their schemas. Both are this context's own: those of the server around it are not inherited.
import type { FastifySerializerCompiler } from 'fastify'
import fp from 'fastify-plugin'
import { buildSerializer, buildValidator } from '../src/http/schema-compilers.js'
import { DELIVERY_COMPONENTS } from '../src/protocol/rest-deliveries.js'
import { FUNNEL_COMPONENTS } from '../src/protocol/rest-funnel.js'
import { Notification, NOTIFICATION_COMPONENTS } from '../src/protocol/notifications.js'
import { ROOM_COMPONENTS } from '../src/protocol/rest-rooms.js'
import { SERVER_COMPONENTS } from '../src/protocol/rest.js'
import { WEBHOOK_COMPONENTS } from '../src/protocol/rest-webhooks.js'

export default fp(async (app) => {
  const outer = app.getSchemas()
  app.setSchemaController({
    bucket: (inherited) => {
      const schemas = new Map(Object.entries((inherited ?? {}) as Record<string, unknown>).filter(([id, schema]) => outer[id] !== schema))
      return {
        add: (schema) => {
          schemas.set((schema as { $id: string }).$id, schema)
          return app
        },
        getSchema: (id) => schemas.get(id),
        getSchemas: () => Object.fromEntries(schemas)
      }
    }
  })
  const components = [...SERVER_COMPONENTS, ...ROOM_COMPONENTS, ...NOTIFICATION_COMPONENTS, ...FUNNEL_COMPONENTS, ...WEBHOOK_COMPONENTS, ...DELIVERY_COMPONENTS, Notification]
  for (const schema of components) app.addSchema(schema)
  const shared = Object.fromEntries(components.map((schema) => [schema.$id!, schema]))
  // Set here and not as a factory: a context takes its compiler from the one around it if that has one.
  app.setValidatorCompiler(buildValidator(shared, { customOptions: {}, plugins: [] }))
  app.setSerializerCompiler(buildSerializer(shared, {}) as FastifySerializerCompiler<unknown>)
}, { name: 'schemas' })
