// Payment room as React state: joins when the component is mounted, and leaves when it is unmounted.
import { useCallback, useEffect, useRef, useState } from 'react'
import { connect, type ConnectOptions, type PaymentState, type Room, type RoomEvent, type Settled, type Status } from 'ws-payment-server/client'

interface RoomHandlers {
  /** Called for every event of another device or a backend, once and in order. */
  readonly onEvent?: (event: RoomEvent) => void
  /** Called once for each result, also over a reload: the place to print a receipt, if the result is `verified`. */
  readonly onSettled?: (settled: Settled) => void
}

/**
 * State of the room for a component. `state.attempt` counts the attempts, and `state.lastError` is the failure before this one.
 * @param options the room is joined anew when `url`, `roomId`, `role` or `deviceId` changes; pass a `token` that expires as a function
 * @returns `canPay` is true while a payer may press pay: not while a result is awaited, but again after a failure
 */
export function useRoom (options: ConnectOptions, handlers: RoomHandlers = {}) {
  const [status, setStatus] = useState<Status>('connecting')
  const [state, setState] = useState<PaymentState | undefined>(undefined)
  const room = useRef<Room | undefined>(undefined)
  // The ref holds the newest handlers: a new handler is no reason to leave the room.
  const newest = useRef(handlers)
  newest.current = handlers

  useEffect(() => {
    const joined = connect(options)
    room.current = joined
    setStatus(joined.status)
    setState(joined.state)
    joined.on('status', setStatus)
    joined.on('state', (state) => setState(state))
    joined.on('event', (event) => newest.current.onEvent?.(event))
    // A result counts as told once it has a handler.
    if (newest.current.onSettled) joined.on('settled', (settled) => newest.current.onSettled?.(settled))
    // The component may be mounted again.
    return () => joined.close({ keep: true })
  }, [options.url, options.roomId, options.role, options.deviceId])

  // For effects and event handlers only: the room exists once the effect above has run.
  const publish = useCallback<Room['publish']>((type, payload, options) => room.current!.publish(type, payload, options), [])
  const isWaiting = state?.status === 'pending' && state.step === 'CLICKED_PAY'
  const canPay = status !== 'closed' && !isWaiting && (state?.status === 'pending' || state?.status === 'failed')
  return { status, state, canPay, publish }
}
