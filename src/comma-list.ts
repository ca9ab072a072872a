// Comma-separated lists, as settings and options hold them.

/** Splits a list and trims its entries. An empty entry is kept, so that its reader can refuse it. */
export function entriesOf (list: string): string[] { return list.split(',').map((entry) => entry.trim()) }

/** Splits a list, without its empty entries. */
export function filledEntriesOf (list: string): string[] { return entriesOf(list).filter((entry) => entry !== '') }
