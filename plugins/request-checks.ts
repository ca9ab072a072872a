// Checks the head of every request before all other hooks.
import fp from 'fastify-plugin'
import { Failure } from '../src/errors.js'
import { checkRequestHead } from '../src/http/request-head.js'
import { endUpgrade } from '../src/http/server-options.js'
import { errorResponse } from '../src/protocol/rest.js'
import { checkUpgrade } from '../src/websocket/handshake.js'

export default fp(async (app) => {
  app.addHook('onRequest', async ({ raw, id }, reply) => {
    const fault = checkRequestHead(raw) ?? checkUpgrade(raw)
    if (!fault) return
    endUpgrade(raw, reply.raw)
    return reply.code(fault.status).header('connection', 'close').send(errorResponse(new Failure('INVALID_REQUEST', fault.message), id, app.now()))
  })
}, { name: 'request-checks' })
