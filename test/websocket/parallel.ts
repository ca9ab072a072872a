// Parallel runs with a limit.

/** Runs at the same time. With more of them, a slow machine takes so long over each tick that the server gives a connection to HTTP before it has read the handshake. */
const WIDTH = 12

/** @param isOver called before each item: true skips the rest */
export async function inParallel<Item> (items: readonly Item[], work: (item: Item) => Promise<void>, isOver = () => false): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length && !isOver()) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: WIDTH }, worker))
}
