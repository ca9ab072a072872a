/** A value that is there now, or a promise of it. The embedded broker answers at once, and an event that waits for nothing should cost no promise. */
export type Awaitable<T> = T | Promise<T>
