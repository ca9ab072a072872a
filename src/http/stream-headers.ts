// Headers of a response with server-sent events.

/** Not stored by caches, and not buffered by nginx. */
export const STREAM_HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
