// Times of the test runner, ms.
/** A file may take this long, unless it sets another limit; it is generous, for a machine that is busy. */
export const FILE_TIMEOUT_MS = 600_000
/** After so long without a line of output a process is ended. Longer than any limit that a file sets for itself. */
export const SILENCE_TIMEOUT_MS = 960_000
