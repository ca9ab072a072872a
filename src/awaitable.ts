// A value that is there now, or a promise of it. The embedded broker answers at once, and an event that waits for nothing should cost no promise.

export type Awaitable<T> = T | Promise<T>

/** Goes on with a value: now where it is there, and later where it has to be waited for. */
export function then<T, R> (value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}
