// Many runs at once, but not all of them.

/** Runs at the same time. */
const WIDTH = 32

/** @param isOver asked before each item: whether the rest need not be done */
export async function inParallel<Item> (items: readonly Item[], work: (item: Item) => Promise<void>, isOver = () => false): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length && !isOver()) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
}
