// The two pages of a payment in React: the shop's page watches, the payer's page tells.
import { useEffect } from 'react'
import { usePaymentRoom } from 'ws-payment-client/react'

export interface PageProps {
  /** URL of the payment server. */
  readonly url: string
  readonly roomId: string
  /** Returns a fresh token for each attempt to connect; not needed on a server without tokens. */
  readonly token?: (() => Promise<string>) | undefined
  /** Called once for a payment that the backend confirmed, also over a reload. */
  readonly onPaid?: () => void
}

export function ShopPage ({ url, roomId, token, onPaid }: PageProps) {
  const { status, state } = usePaymentRoom({ url, roomId, role: 'device1', token }, {
    onSettled: (settled) => { if (settled.status === 'succeeded' && settled.verified) onPaid?.() }
  })
  if (status === 'closed') return <p>This payment is over.</p>
  if (state?.status === 'succeeded') return <p>Paid{state.outcome?.verified ? '' : ', says the payer'}</p>
  if (state?.status === 'failed') return <p>It failed: {state.outcome?.error}. The payer may try again.</p>
  if (state && state.status !== 'pending') return <p>{state.status}</p>
  return (
    <p>
      {state?.step ?? 'Waiting for the payer'}{status === 'offline' && ' (reconnecting)'}
      {state?.lastError && ` (attempt ${state.attempt}, after: ${state.lastError.error})`}
    </p>
  )
}

export function PayerPage ({ url, roomId, token }: PageProps) {
  const { state, canPay, publish } = usePaymentRoom({ url, roomId, role: 'device2', token })
  const isNew = state?.status === 'pending' && state.step === null
  // Under one id: published again, it is in the log once.
  useEffect(() => { if (isNew) publish('ENTERED_SUMMARY', {}, { id: 'entered' }).catch(console.error) }, [isNew, publish])
  const pay = () => { publish('CLICKED_PAY').catch(console.error) }
  if (state?.status === 'succeeded') return <p>Thank you.</p>
  if (state?.status === 'expired') return <p>This link has expired. Ask the shop to extend it.</p>
  if (state?.status === 'failed') return <p>It failed: {state.outcome?.error}. <button onClick={pay}>Try again</button></p>
  return <button disabled={!canPay} onClick={pay}>Pay</button>
}
