// A payment's room as React state: joined while the component is there, left with it.
import { useCallback, useEffect, useRef, useState } from 'react'
import { connect, type ConnectOptions, type PaymentState, type Room, type RoomEvent, type Status } from 'ws-payment-server/client'

export interface UseRoomOptions extends Pick<ConnectOptions, 'url' | 'roomId' | 'role' | 'deviceId' | 'token'> {
  /** Called for every event of the other device or a backend, once and in order. */
  onEvent?: (event: RoomEvent) => void
}

export function useRoom ({ url, roomId, role, deviceId, token, onEvent }: UseRoomOptions) {
  const [status, setStatus] = useState<Status>('connecting')
  const [state, setState] = useState<PaymentState | undefined>(undefined)
  const room = useRef<Room | undefined>(undefined)
  // The newest ones are used, and new ones do not make the room be joined anew.
  const latest = useRef({ token, onEvent })
  latest.current = { token, onEvent }

  useEffect(() => {
    const joined = connect({ url, roomId, role, deviceId, token: async () => await (typeof latest.current.token === 'function' ? latest.current.token() : latest.current.token) ?? '' })
    room.current = joined
    setStatus(joined.status)
    setState(undefined)
    joined.on('status', setStatus)
    joined.on('state', setState)
    joined.on('event', (event) => latest.current.onEvent?.(event))
    return () => joined.close()
  }, [url, roomId, role, deviceId])

  const publish = useCallback<Room['publish']>((type, payload, options) => room.current!.publish(type, payload, options), [])
  return { status, state, publish }
}
