// A payment's room as React state: joined while the component is there, left with it.
import { useCallback, useEffect, useRef, useState } from 'react'
import { connect, type ConnectOptions, type PaymentState, type Room, type RoomEvent, type Status } from 'ws-payment-server/client'

/**
 * @param onEvent called for every event of another device or a backend, once and in order
 * @param options a room is joined anew when its address, its id, the role or the device changes; a `token` that expires is best given as a function
 */
export function useRoom (options: ConnectOptions, onEvent?: (event: RoomEvent) => void) {
  const [status, setStatus] = useState<Status>('connecting')
  const [state, setState] = useState<PaymentState | undefined>(undefined)
  const room = useRef<Room | undefined>(undefined)
  // The newest handler is called, and a new one is no reason to leave the room.
  const handler = useRef(onEvent)
  handler.current = onEvent

  useEffect(() => {
    const joined = connect(options)
    room.current = joined
    setStatus(joined.status)
    setState(joined.state)
    joined.on('status', setStatus)
    joined.on('state', setState)
    joined.on('event', (event) => handler.current?.(event))
    return () => joined.close()
  }, [options.url, options.roomId, options.role, options.deviceId])

  // To be called from effects and handlers, when there is a room.
  const publish = useCallback<Room['publish']>((type, payload, options) => room.current!.publish(type, payload, options), [])
  return { status, state, publish }
}
