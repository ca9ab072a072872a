// Schemas of the list of nodes over REST.
import { Type, type Static } from '@sinclair/typebox'
import { Timestamp } from './fields.js'
import { successEnvelope } from './rest.js'
import { Ref, StringEnum } from './schema.js'

export const ServerNode = Type.Object({
  id: Type.String({ description: 'Id of the process; a restarted one has another.', examples: ['7c1e0f4b92ad'] }),
  name: Type.String({ description: 'Name of the host or of its container.', examples: ['payments-7d9c5b-x2x8v'] }),
  status: StringEnum(['running', 'draining'], { description: '`draining` while the process is shutting down.', examples: ['running'] }),
  startedAt: Timestamp,
  version: Type.String({ examples: ['1.0.0'] }),
  sockets: Type.Integer({ description: 'Open sockets.', examples: [1840] }),
  streams: Type.Integer({ description: 'Open event streams.', examples: [12] }),
  rooms: Type.Integer({ description: 'Rooms with a member on this node. A room with members on two nodes counts on both.', examples: [921] })
}, { $id: 'ServerNode' })
export type ServerNode = Static<typeof ServerNode>

export const ServerNodeList = Type.Object({
  self: Type.String({ description: 'Id of the node that responds.', examples: ['7c1e0f4b92ad'] }),
  nodes: Type.Array(Ref(ServerNode), { description: 'The longest running node comes first.' })
}, { $id: 'ServerNodeList' })
export const ServerNodeListResponse = successEnvelope(ServerNodeList)

/** Named OpenAPI components of this file. */
export const NODE_COMPONENTS = [ServerNode, ServerNodeList, ServerNodeListResponse]
