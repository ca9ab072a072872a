// Catalogue of all errors that a client can receive: code → message, HTTP status, close code, retryability.

/** Close codes and reasons that the server sends. The range tells the client what to do: 4000–4499 reconnect, 4500–4999 do not. */
export const CLOSE = {
  UNSUPPORTED_DATA: { code: 1003, reason: 'text frames only' },
  RESTARTING: { code: 1012, reason: 'server restarting' },
  TOO_SLOW: { code: 4001, reason: 'too slow' },
  POSITION_LOST: { code: 4002, reason: 'position lost, join again with recover' },
  NO_PONG: { code: 4003, reason: 'no pong' },
  RATE_LIMIT: { code: 4004, reason: 'too many messages' },
  TOKEN_EXPIRED: { code: 4005, reason: 'token expired' },
  BAD_TOKEN: { code: 4500, reason: 'bad token' },
  INVALID_FRAMES: { code: 4501, reason: 'too many invalid frames' },
  NO_JOIN: { code: 4502, reason: 'did not join in time' },
  FORBIDDEN: { code: 4503, reason: 'forbidden' }
} as const

export type CloseReason = typeof CLOSE[keyof typeof CLOSE]

interface ErrorRule {
  /** Default message for the client, used if no more specific one is given. */
  readonly message: string
  readonly status: number
  /** Close code for a socket that this error keeps out of its first room. */
  readonly close?: CloseReason
  /** True if the same request can succeed later. */
  readonly retryable: boolean
}

export const ERRORS = {
  INVALID_JSON: { message: 'The JSON could not be parsed.', status: 400, retryable: false },
  INVALID_FRAME: { message: 'The message does not follow the protocol.', status: 400, retryable: false },
  INVALID_REQUEST: { message: 'The request is invalid.', status: 400, retryable: false },
  UNKNOWN_EVENT: { message: 'The event type is unknown.', status: 400, retryable: false },
  FORBIDDEN_KEY: { message: 'The JSON contains a forbidden key.', status: 400, retryable: false },
  SENSITIVE_DATA: { message: 'Card data is not accepted.', status: 400, retryable: false },
  TOO_DEEP: { message: 'The JSON is nested too deeply.', status: 400, retryable: false },
  UNAUTHORIZED: { message: 'The API key is missing or invalid.', status: 401, retryable: false },
  INVALID_TOKEN: { message: 'The room token is missing or invalid.', status: 401, close: CLOSE.BAD_TOKEN, retryable: false },
  TOKEN_EXPIRED: { message: 'The room token has expired.', status: 401, close: CLOSE.TOKEN_EXPIRED, retryable: false },
  FORBIDDEN: { message: 'This action is not allowed.', status: 403, close: CLOSE.FORBIDDEN, retryable: false },
  NOT_FOUND: { message: 'The route does not exist.', status: 404, retryable: false },
  ROOM_NOT_FOUND: { message: 'The room does not exist.', status: 404, retryable: false },
  PAYLOAD_TOO_LARGE: { message: 'The request body is too large.', status: 413, retryable: false },
  URI_TOO_LONG: { message: 'The URL is too long.', status: 414, retryable: false },
  UNSUPPORTED_MEDIA_TYPE: { message: 'The content type must be application/json.', status: 415, retryable: false },
  RESULT_REFUSED: { message: 'A result in this delivery breaks a rule; see the list of refused deliveries.', status: 422, retryable: false },
  ROOM_EXISTS: { message: 'The room already exists.', status: 409, retryable: false },
  ROOM_CLOSED: { message: 'The room is closed.', status: 410, retryable: false },
  NOT_JOINED: { message: 'The socket has not joined the room.', status: 409, retryable: false },
  ID_CONFLICT: { message: 'The id or idempotency key was already used for a different event.', status: 409, retryable: false },
  ROOM_FULL: { message: 'The room is full.', status: 409, retryable: true },
  ROOM_TAKEN: { message: 'Another device is paying; try again when it has left.', status: 409, retryable: true },
  TOO_MANY_ROOMS: { message: 'The socket has joined too many rooms.', status: 409, retryable: false },
  RATE_LIMITED: { message: 'Too many requests; try again in a second.', status: 429, retryable: true },
  UNAVAILABLE: { message: 'The request could not be confirmed; try again shortly, with the same id.', status: 503, retryable: true },
  INTERNAL: { message: 'An internal error occurred.', status: 500, retryable: true }
} as const satisfies Record<string, ErrorRule>

export type ErrorCode = keyof typeof ERRORS
export const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[]

/** One broken rule: the key, and the rule that its value breaks. */
export interface ErrorDetail { key: string, rule: string }

/** An expected failure, returned as a value and never thrown: a thrown error is a bug and becomes `INTERNAL`. */
export class Failure {
  constructor (
    readonly code: ErrorCode,
    readonly message: string = ERRORS[code].message,
    readonly details?: readonly ErrorDetail[]
  ) {}

  get status (): number { return ERRORS[this.code].status }
  get retryable (): boolean { return ERRORS[this.code].retryable }
  get close (): CloseReason | undefined { return (ERRORS[this.code] as ErrorRule).close }
}

const BY_STATUS: Record<number, ErrorCode> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'PAYLOAD_TOO_LARGE',
  414: 'URI_TOO_LONG',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE'
}

/** Maps an HTTP status chosen by a library to an error code. Other 4xx are `INVALID_REQUEST`; all other statuses are `INTERNAL`. */
export function codeForStatus (status: number): ErrorCode {
  return BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'INVALID_REQUEST' : 'INTERNAL')
}
