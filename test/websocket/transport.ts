// Transport for tests, on the system's clocks.
import { SYSTEM_CLOCKS } from '../../src/clock.js'
import { Transport } from '../../src/websocket/transport.js'

export const newTransport = (): Transport => new Transport(SYSTEM_CLOCKS)
