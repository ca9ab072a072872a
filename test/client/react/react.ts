// As much of React as the example uses: hooks that remember, effects that run after rendering and are undone before they run again.

interface Cell { value?: unknown, deps?: readonly unknown[] | undefined, undo?: void | (() => void) }

let cells: Cell[] = []
let cursor = 0
let effects: Array<() => void> = []
let again: () => void

function cell (): Cell { return (cells[cursor++] ??= {}) }

function changed (deps: readonly unknown[], before: readonly unknown[] | undefined): boolean {
  return before === undefined || deps.length !== before.length || deps.some((dep, i) => !Object.is(dep, before[i]))
}

export function useState<T> (initial: T | (() => T)): [T, (value: T) => void] {
  const own = cell()
  const render = again
  if (!('value' in own)) own.value = initial instanceof Function ? initial() : initial
  return [own.value as T, (value) => {
    if (Object.is(own.value, value)) return
    own.value = value
    render()
  }]
}

export function useRef<T> (initial: T): { current: T } {
  const own = cell()
  return (own.value ??= { current: initial }) as { current: T }
}

export function useCallback<T> (callback: T, deps: readonly unknown[]): T {
  const own = cell()
  if (changed(deps, own.deps)) Object.assign(own, { value: callback, deps })
  return own.value as T
}

export function useEffect (effect: () => void | (() => void), deps: readonly unknown[]): void {
  const own = cell()
  if (!changed(deps, own.deps)) return
  own.deps = deps
  effects.push(() => {
    own.undo?.()
    own.undo = effect()
  })
}

/**
 * Renders a component, and again whenever its state or its properties change.
 * @param strict every first effect is done, undone and done again, as in React's StrictMode
 */
export function mount<P, R> (component: (props: P) => R, first: NoInfer<P>, { strict = false } = {}): { result: () => R, render: (props: P) => void, unmount: () => void } {
  const own: Cell[] = []
  let props = first
  let result: R
  const render = () => {
    ;[cells, cursor, effects, again] = [own, 0, [], render]
    result = component(props)
    const due = effects
    for (const run of due) run()
    if (strict) for (const run of due.splice(0)) run()
    strict = false
  }
  render()
  return {
    result: () => result,
    render: (next) => {
      props = next
      render()
    },
    unmount: () => { for (const { undo } of own) undo?.() }
  }
}
