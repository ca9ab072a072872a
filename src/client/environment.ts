// What the client takes from the platform it runs on, and the stand-ins a test or an old platform gives it instead.

/** As much of a WebSocket as is used: the browser's, Node's and the one of `ws` all have it. */
export interface SocketLike {
  readonly readyState: number
  onopen: ((event: any) => void) | null
  onmessage: ((event: any) => void) | null
  onerror: ((event: any) => void) | null
  onclose: ((event: any) => void) | null
  send: (data: string) => void
  close: (code?: number, reason?: string) => void
}

export interface RequestLike {
  method?: string
  headers: Record<string, string>
  body?: string
  keepalive?: boolean
  cache?: 'no-store'
  signal?: AbortSignal
}

export interface ResponseLike {
  readonly ok: boolean
  readonly status: number
  readonly body: { getReader: () => { read: () => Promise<{ done: boolean, value?: any }> } } | null
  json: () => Promise<any>
}

/** `sessionStorage`, or anything that keeps strings. Each method may throw. */
export interface StorageLike {
  getItem: (key: string) => string | null
  setItem: (key: string, value: string) => void
  removeItem: (key: string) => void
}

export interface TargetLike {
  addEventListener: (type: string, listener: (event: any) => void, options: { signal: AbortSignal }) => void
}

/** The platform. Every part can be given to `connect`; what is not given is the global one. */
export interface Environment {
  /** Node 20 has none: give it the one of `ws`. */
  readonly WebSocket: (new (url: string) => SocketLike) | undefined
  readonly fetch: (url: string, init: RequestLike) => Promise<ResponseLike>
  /** Keeps the position and what was not acknowledged; null or undefined: only for the life of the object. */
  readonly storage: StorageLike | null | undefined
  readonly window: TargetLike | undefined
  readonly document: TargetLike & { readonly visibilityState: string } | undefined
  /** From 0 up to but not including 1. */
  readonly random: () => number
  /** ms since the epoch. */
  readonly now: () => number
  readonly setTimeout: (run: () => void, ms: number) => unknown
  readonly clearTimeout: (timer: any) => void
  /** A new name that nobody else has, at most 64 printable ASCII characters. */
  readonly newId: () => string
}

type Globals = Partial<Pick<Environment, 'WebSocket' | 'window' | 'document'>> & { sessionStorage?: StorageLike }

/** The platform the client runs on, with the given parts in place of its own. */
export function environment (given: Partial<Environment>): Environment {
  const globals = globalThis as unknown as Globals
  return {
    WebSocket: globals.WebSocket,
    fetch: (url, init) => fetch(url, init),
    // A page whose storage is blocked throws on the mere look at it.
    storage: tryOrUndefined(() => globals.sessionStorage),
    window: globals.document && globals.window,
    document: globals.document,
    random: Math.random,
    now: Date.now,
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    newId,
    ...definedOf(given)
  }
}

/** `randomUUID` is there on secure origins alone; on plain http the same 122 random bits and more come from `getRandomValues`. */
export function newId (source: { randomUUID?: () => string, getRandomValues: (bytes: Uint8Array) => Uint8Array } = crypto): string {
  return source.randomUUID?.() ?? [...source.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What `run` gives, or undefined where it throws. */
export function tryOrUndefined<T> (run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}

/** Options that were passed on as `undefined` count as not given. */
function definedOf<T extends object> (given: T): Partial<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>
}
