/** A value that is there now, or a promise of it. The embedded broker answers at once, and an event that waits for nothing should cost no promise. */
export type Awaitable<T> = T | Promise<T>

/** Goes on with a value: at once where it is there, otherwise when it is. */
export function whenThere<T, U> (value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
