// Comparison of a shown value with the server's value: the same keys with the same kinds of values. Ids and times differ, and are learned.

/** Names that differ in each run; later commands of a page use the name that the page shows. */
const NAMES = new Set(['epoch', 'roomId', 'token'])

/**
 * @param learn is called with each name that is shown and its real value
 * @returns the differences
 */
export function differences (shown: unknown, real: unknown, learn: (shown: string, real: string) => void = () => {}, path = 'it'): string[] {
  if (shown === null || real === null) return []
  if (Array.isArray(shown) && Array.isArray(real)) {
    return shown.slice(0, real.length).flatMap((item, index) => differences(item, real[index], learn, `${path}[${index}]`))
  }
  if (typeof shown !== typeof real || Array.isArray(shown) !== Array.isArray(real)) return [`${path} is shown as ${kind(shown)} and is ${kind(real)}`]
  if (typeof shown !== 'object') return []
  const [left, right] = [shown as Record<string, unknown>, real as Record<string, unknown>]
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])]
  return keys.flatMap((key) => {
    if (!(key in left)) return [`${path}.${key} is not shown`]
    if (!(key in right)) return [`${path}.${key} is shown, and not there`]
    const [value, other] = [left[key], right[key]]
    if (NAMES.has(key) && typeof value === 'string' && typeof other === 'string' && value !== other) learn(value, other)
    if (key === 'success' && value !== other) return [`${path}.success is shown as ${String(value)} and is ${String(other)}: ${JSON.stringify(real)}`]
    return differences(value, other, learn, `${path}.${key}`)
  })
}

const kind = (value: unknown) => Array.isArray(value) ? 'an array' : typeof value
