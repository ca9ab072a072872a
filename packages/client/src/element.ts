// Element <payment-status>: shows a payment on a page without a framework. Its parts are styled with ::part().
import type { ConnectOptions, PaymentState, Room, Status } from 'ws-payment-client'
import { textsOf } from './element-texts.js'
import { follow } from './follow.js'

const PARTS = '<div part="payment" role="group"><p part="amount"></p><p part="status" role="status"></p><p part="step"></p><p part="connection"></p>' +
  '<button part="retry" type="button" hidden></button></div>'
const STYLE = ':host{display:block}:host([hidden]){display:none}p{margin:0}p:empty{display:none}[part=amount]{font-size:1.5em;font-weight:bold}'

/** Attributes whose change means another room, or another place in it. */
const OF_ROOM = ['url', 'room', 'device', 'device-id']

export interface PaymentStatusOptions {
  /** Name of the element. Default: `payment-status`. */
  readonly name?: string | undefined
  /** URL of the server for elements without the attribute `url`. Default: the origin of the page. */
  readonly url?: string | undefined
}

/** Base class: a server that renders the page has no elements. */
const Base = (globalThis as { HTMLElement?: typeof HTMLElement }).HTMLElement ?? class {} as unknown as typeof HTMLElement

/**
 * Element that shows the room in its attribute `room`.
 * Events: `payment-state` with the state, `payment-settled` with the result, `payment-error`; `retry`, which the page may prevent, before a payer tries again.
 */
export class PaymentStatusElement extends Base {
  static readonly observedAttributes = [...OF_ROOM, 'lang']
  /** Function that returns a fresh token; it takes precedence over the attribute `token`. Set it before the element is in the page. */
  tokenSource: ConnectOptions['token']
  /** URL of the server without the attribute `url`. Default: the origin of the page. */
  protected readonly server: string | undefined
  #room: Room | undefined
  #status: Status = 'connecting'
  #state: PaymentState | undefined

  /** Room that is joined, for events of its own. */
  get paymentRoom (): Room | undefined { return this.#room }

  connectedCallback (): void {
    if (!this.shadowRoot) this.#build()
    this.#join()
  }

  disconnectedCallback (): void { this.#leave() }

  attributeChangedCallback (name: string, before: string | null, now: string | null): void {
    if (!this.isConnected || !this.shadowRoot || before === now) return
    if (name === 'lang') return this.#draw()
    this.#leave()
    this.#join()
  }

  #build (): void {
    const root = this.attachShadow({ mode: 'open' })
    // Allowed by every content security policy, unlike a <style>.
    const style = new CSSStyleSheet()
    style.replaceSync(STYLE)
    root.adoptedStyleSheets = [style]
    root.innerHTML = PARTS
    this.#part('retry').addEventListener('click', () => {
      // A refused event is no fault of the page: the state says what is true.
      if (this.#tell('retry', undefined, { cancelable: true })) this.#room?.publish('CLICKED_PAY').catch(() => {})
    })
  }

  #join (): void {
    const roomId = this.getAttribute('room')
    this.#status = 'connecting'
    this.#state = undefined
    if (roomId) {
      this.#room = follow(this.#options(roomId), {
        status: (status) => this.#draw({ status }),
        state: (state) => this.#draw({ state }),
        members: () => {}
      }, () => ({ onError: (error) => this.#tell('payment-error', error), onSettled: (settled) => this.#tell('payment-settled', settled) }))
    }
    this.#draw()
  }

  #options (roomId: string): ConnectOptions {
    const token = this.tokenSource ?? this.getAttribute('token') ?? undefined
    return {
      url: this.getAttribute('url') ?? this.server ?? location.origin,
      roomId,
      role: this.getAttribute('device') === 'device2' ? 'device2' : 'device1',
      deviceId: this.getAttribute('device-id') ?? undefined,
      // A function, so that an attribute that was replaced meanwhile counts for the next attempt.
      token: typeof token === 'string' ? () => this.getAttribute('token') ?? token : token
    }
  }

  #leave (): void {
    // Kept in the storage: the element may only move within the page.
    this.#room?.close({ keep: true })
    this.#room = undefined
  }

  #draw ({ status = this.#status, state = this.#state }: { status?: Status, state?: PaymentState | undefined } = {}): void {
    const isNews = state !== this.#state
    this.#status = status
    this.#state = state
    const language = this.closest('[lang]')?.getAttribute('lang') ?? navigator.language
    const texts = textsOf(language)
    this.#part('payment').setAttribute('aria-label', texts.label)
    this.#show('connection', texts.connections[status] ?? '')
    this.#show('retry', texts.retry)
    this.#part('retry').hidden = status === 'closed' || this.getAttribute('device') !== 'device2' || state?.status !== 'failed'
    this.setAttribute('data-status', state?.status ?? '')
    this.#show('amount', state ? amountOf(state, language, texts.of) : '')
    this.#show('status', state ? statusOf(state, texts) : '')
    this.#show('step', state?.status === 'pending' ? texts.steps[state.step ?? 'WAITING'] ?? '' : '')
    if (isNews && state) this.#tell('payment-state', state)
  }

  #tell (type: string, detail: unknown, options?: EventInit): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, ...options }))
  }

  #part (name: string): HTMLElement { return this.shadowRoot!.querySelector<HTMLElement>(`[part=${name}]`)! }

  /** Sets a text only where it differs: a screen reader reads a status again whenever it is set. */
  #show (name: string, text: string): void {
    const part = this.#part(name)
    if (part.textContent !== text) part.textContent = text
  }
}

function amountOf ({ expected, paid, balance, currency }: PaymentState, language: string, of: string): string {
  const money = (amount: number) => currency === undefined
    ? new Intl.NumberFormat(language, { minimumFractionDigits: 2 }).format(amount)
    : new Intl.NumberFormat(language, { style: 'currency', currency }).format(amount)
  if (expected === undefined) return paid ? money(paid) : ''
  return balance === 'under' ? of.replace('{paid}', money(paid ?? 0)).replace('{expected}', money(expected)) : money(expected)
}

function statusOf ({ status, outcome }: PaymentState, { statuses, claimed }: ReturnType<typeof textsOf>): string {
  const text = statuses[status] ?? status
  const reason = outcome?.error ?? outcome?.reason
  if (status === 'succeeded' && !outcome?.verified) return claimed.replace('{status}', text)
  return reason === undefined ? text : `${text}: ${reason}`
}

/** Makes the element known to the page, once. */
export function definePaymentStatus ({ name = 'payment-status', url }: PaymentStatusOptions = {}): void {
  // A class of its own: a class can have only one name.
  if (!customElements.get(name)) customElements.define(name, class extends PaymentStatusElement { protected override readonly server = url })
}
