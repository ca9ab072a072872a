// Shared schemas of the routes, and the compilers of all their schemas. Both are this context's own: those of the server around it are not inherited.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { TSchema } from '@sinclair/typebox'
import fp from 'fastify-plugin'
import { RequestValidators, type CompiledValidators } from '../src/http/request-validators.js'
import { ResponseTexts } from '../src/http/response-texts.js'
import { DELIVERY_COMPONENTS } from '../src/protocol/rest-deliveries.js'
import { FUNNEL_COMPONENTS } from '../src/protocol/rest-funnel.js'
import { Notification, NOTIFICATION_COMPONENTS } from '../src/protocol/notifications.js'
import { NODE_COMPONENTS } from '../src/protocol/rest-nodes.js'
import { ROOM_COMPONENTS } from '../src/protocol/rest-rooms.js'
import { SERVER_COMPONENTS } from '../src/protocol/rest.js'
import { WEBHOOK_COMPONENTS } from '../src/protocol/rest-webhooks.js'

/** Validators that scripts/build.mjs has compiled; missing where sources run. */
const COMPILED = join(import.meta.dirname, '..', 'compiled', 'request-validators.cjs')

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
  const components = [
    ...SERVER_COMPONENTS, ...ROOM_COMPONENTS, ...NOTIFICATION_COMPONENTS, ...FUNNEL_COMPONENTS, ...NODE_COMPONENTS, ...WEBHOOK_COMPONENTS, ...DELIVERY_COMPONENTS, Notification
  ]
  for (const schema of components) app.addSchema(schema)
  const shared = Object.fromEntries(components.map((schema) => [schema.$id!, schema]))
  const validators = new RequestValidators(shared, existsSync(COMPILED) ? createRequire(import.meta.url)(COMPILED) as CompiledValidators : {})
  const texts = new ResponseTexts(shared)
  // Set here and not as a factory: a context takes its compiler from the one around it if that has one.
  app.setValidatorCompiler<TSchema>((part) => validators.of(part))
  app.setSerializerCompiler<TSchema>(({ schema }) => texts.of(schema))
}, { name: 'schemas' })
