// Payment room for Vue: joins when the component is mounted, and leaves when its scope ends. Nothing runs while a server renders.
import { computed, onMounted, onScopeDispose, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter, type ShallowRef } from 'vue'
import type { ConnectOptions, PaymentState, Room, RoomMember, Status } from 'ws-payment-client'
import { follow, mayPay, NOBODY, type PaymentRoomHandlers } from './follow.js'

export type { PaymentRoomHandlers } from './follow.js'

export interface PaymentRoom {
  readonly status: Readonly<ShallowRef<Status>>
  /** Undefined until the first join. */
  readonly state: Readonly<ShallowRef<PaymentState | undefined>>
  /** Members of the room, with the option `presence`. */
  readonly members: Readonly<ShallowRef<readonly RoomMember[]>>
  /** True while a payer may press pay: not while a result is awaited, but again after a failure. */
  readonly canPay: ComputedRef<boolean>
  /** The `publish` of the client. Before the component is mounted it waits for that. */
  readonly publish: Room['publish']
}

/**
 * Returns the room of a payment, for the `setup` of a component.
 * @param options the room is joined anew when `url`, `roomId`, `role` or `deviceId` changes; pass a `token` that expires as a function
 */
export function usePaymentRoom (options: MaybeRefOrGetter<ConnectOptions>, handlers: PaymentRoomHandlers = {}): PaymentRoom {
  const status = shallowRef<Status>('connecting')
  const state = shallowRef<PaymentState | undefined>(undefined)
  const members = shallowRef(NOBODY)
  let room: Room | undefined
  // Kept in the storage, since the component may be mounted again.
  const leave = () => room?.close({ keep: true })
  const join = () => {
    leave()
    room = follow(toValue(options), {
      status: (now) => { status.value = now },
      state: (now) => { state.value = now },
      members: (now) => { members.value = now }
    }, () => handlers)
  }
  const mounted = new Promise<void>((resolve) => onMounted(() => {
    watch(() => {
      const { url, roomId, role, deviceId } = toValue(options)
      return [url, roomId, role, deviceId]
    }, join, { immediate: true })
    resolve()
  }))
  onScopeDispose(leave)
  const publish: Room['publish'] = (...event) => room ? room.publish(...event) : mounted.then(() => room!.publish(...event))
  return { status, state, members, canPay: computed(() => mayPay(status.value, state.value)), publish }
}
