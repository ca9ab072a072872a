// Interfaces to the platform that the client runs on. Tests and older platforms can pass implementations of their own.

/** Subset of the WebSocket API that the client uses. The browser's, Node.js's and that of `ws` all have it. */
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

/** `sessionStorage`, or any other store of strings. Each method may throw. */
export interface StorageLike {
  getItem: (key: string) => string | null
  setItem: (key: string, value: string) => void
  removeItem: (key: string) => void
}

export interface TargetLike {
  addEventListener: (type: string, listener: (event: any) => void, options: { signal: AbortSignal }) => void
}

/** The platform. Each part can be passed to `connect`; parts that are left out are the global ones. */
export interface Environment {
  /** Node.js 20 has no global WebSocket: pass the class of `ws`. */
  readonly WebSocket: (new (url: string) => SocketLike) | undefined
  readonly fetch: (url: string, init: RequestLike) => Promise<ResponseLike>
  /** Stores the position and the pending events. With null or undefined they last only as long as the client object. */
  readonly storage: StorageLike | null | undefined
  readonly window: TargetLike | undefined
  readonly document: TargetLike & { readonly visibilityState: string } | undefined
  /** Returns a random number from 0 up to but not including 1. */
  readonly random: () => number
  /** Returns the current time, ms since the epoch. */
  readonly now: () => number
  readonly setTimeout: (run: () => void, ms: number) => unknown
  readonly clearTimeout: (timer: any) => void
  /** Returns a new unique id of at most 64 printable ASCII characters. */
  readonly newId: () => string
}

type Globals = Partial<Pick<Environment, 'WebSocket' | 'window' | 'document'>> & { sessionStorage?: StorageLike }

/** Returns the platform that the client runs on, with the given parts in place of its own. */
export function environment (overrides: Partial<Environment>): Environment {
  const globals = globalThis as unknown as Globals
  return {
    WebSocket: globals.WebSocket,
    fetch: (url, init) => fetch(url, init),
    // Node.js 25 has a `sessionStorage`, too, which all clients of the process would share. A page whose storage is blocked throws when it is read.
    storage: globals.document && tryOrUndefined(() => globals.sessionStorage),
    window: globals.document && globals.window,
    document: globals.document,
    random: Math.random,
    now: Date.now,
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    newId,
    ...definedOf(overrides)
  }
}

/**
 * Returns a random id. `randomUUID` exists only in secure contexts; on plain HTTP, `getRandomValues` supplies 128 random bits, against the 122
 * of a UUID.
 */
export function newId (source: { randomUUID?: () => string, getRandomValues: (bytes: Uint8Array) => Uint8Array } = crypto): string {
  return source.randomUUID?.() ?? [...source.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Returns the result of `run`, or undefined if it throws. */
export function tryOrUndefined<T> (run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}

/** Removes what is `undefined`: an option that was passed so counts as not given. */
export function definedOf<T extends object> (overrides: T): Partial<T> {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)) as Partial<T>
}
