// Constants of the WebSocket protocol (RFC 6455). A hot function that compares many bytes may keep a copy: V8 treats a constant
// imported from another module as a variable.

/** First byte of a whole frame: FIN set, RSV bits clear (no extension), and the opcode (RFC 6455 §5.2). */
export const FIN_TEXT = 0x81
export const FIN_CLOSE = 0x88
export const FIN_PING = 0x89
export const FIN_PONG = 0x8a

/** Bit of the second byte that announces a masking key, and the length of that key. */
export const MASKED = 0x80
export const MASK_BYTES = 4

/** Length codes that announce a 16-bit and a 64-bit extended payload length (RFC 6455 §5.2), and the longest payload of the shorter forms, bytes. */
export const LENGTH_16 = 126
export const LENGTH_64 = 127
export const MAX_LENGTH_7 = 125
export const MAX_LENGTH_16 = 0xffff

/** Close codes that stand for a missing code and a missing close frame, and that no frame carries (RFC 6455 §7.4.1). */
export const NO_STATUS = 1005
export const ABNORMAL = 1006
