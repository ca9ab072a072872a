// Values of DATA_SYNC. Apart from the journal, which loads only where there is one.

/** Modes of DATA_SYNC, from the fastest to the safest. */
export const DATA_SYNCS = ['none', 'second', 'always'] as const

/** `none`: survives the end of the process. `second`: and of the machine, except for the last second. `always`: nothing acknowledged is lost with the machine. */
export type DataSync = typeof DATA_SYNCS[number]
