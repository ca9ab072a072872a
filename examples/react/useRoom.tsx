// Payment room as React state: joins when the component is mounted, and leaves when it is unmounted.
import { useCallback, useEffect, useRef, useState } from 'react'
import { connect, type ConnectOptions, type PaymentState, type Room, type RoomEvent, type Status } from 'ws-payment-server/client'

/**
 * @param onEvent called for every event of another device or a backend, once and in order
 * @param options the room is joined anew when `url`, `roomId`, `role` or `deviceId` changes; pass a `token` that expires as a function
 */
export function useRoom (options: ConnectOptions, onEvent?: (event: RoomEvent) => void) {
  const [status, setStatus] = useState<Status>('connecting')
  const [state, setState] = useState<PaymentState | undefined>(undefined)
  const room = useRef<Room | undefined>(undefined)
  // The ref holds the newest handler: a new handler is no reason to leave the room.
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

  // For effects and event handlers only: the room exists once the effect above has run.
  const publish = useCallback<Room['publish']>((type, payload, options) => room.current!.publish(type, payload, options), [])
  return { status, state, publish }
}
