// Type of the package cluster-key-slot, which has none of its own.
declare module 'cluster-key-slot' {
  /** Returns the hash slot of a key, 0–16383 (Redis Cluster specification); of its hash tag, if it has one. */
  export default function slotOf (key: string): number
}
