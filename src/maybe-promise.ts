/** A value that is there now, or a promise of it. The embedded broker answers at once, and an event that waits for nothing should cost no promise. */
export type MaybePromise<T> = T | Promise<T>

/** Goes on with a value: at once where it is there, otherwise when it is. */
export function mapMaybePromise<T, U> (value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
