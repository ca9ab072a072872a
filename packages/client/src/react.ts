// Payment room for React: joins when the component is mounted, and leaves when it is unmounted. Nothing runs while a server renders.
import { useCallback, useEffect, useRef, useState } from 'react'
import type { ConnectOptions, PaymentState, Room, RoomMember, Status } from 'ws-payment-client'
import { follow, mayPay, NOBODY, type PaymentRoomHandlers } from './follow.js'

export type { PaymentRoomHandlers } from './follow.js'

export interface PaymentRoom {
  readonly status: Status
  /** Undefined until the first join. */
  readonly state: PaymentState | undefined
  /** Members of the room, with the option `presence`. */
  readonly members: readonly RoomMember[]
  /** True while a payer may press pay: not while a result is awaited, but again after a failure. */
  readonly canPay: boolean
  /** The `publish` of the client, always the same function. Before the component is mounted it waits for that. */
  readonly publish: Room['publish']
}

/**
 * Returns the room of a payment, and renders again with each change.
 * @param options the room is joined anew when `url`, `roomId`, `role` or `deviceId` changes; pass a `token` that expires as a function
 */
export function usePaymentRoom (options: ConnectOptions, handlers: PaymentRoomHandlers = {}): PaymentRoom {
  const [status, setStatus] = useState<Status>('connecting')
  const [state, setState] = useState<PaymentState | undefined>(undefined)
  const [members, setMembers] = useState(NOBODY)
  const room = useRef<Room | undefined>(undefined)
  // Resolves with the first effect: the effects of a child run before those of its parent.
  const [mounted] = useState(promiseOfMount)
  const newest = useRef(handlers)
  newest.current = handlers

  useEffect(() => {
    const joined = room.current = follow(options, { status: setStatus, state: setState, members: setMembers }, () => newest.current)
    mounted.resolve()
    // Kept in the storage, since the component may be mounted again: StrictMode does that at once.
    return () => joined.close({ keep: true })
  }, [options.url, options.roomId, options.role, options.deviceId])

  const publish = useCallback<Room['publish']>((type, payload, options) => {
    if (room.current) return room.current.publish(type, payload, options)
    return mounted.promise.then(() => room.current!.publish(type, payload, options))
  }, [])
  return { status, state, members, canPay: mayPay(status, state), publish }
}

function promiseOfMount (): { promise: Promise<void>, resolve: () => void } {
  let onMount = () => {}
  const promise = new Promise<void>((resolve) => { onMount = resolve })
  return { promise, resolve: onMount }
}
