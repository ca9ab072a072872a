// Ends all that a process of tests has started: its process group, and what has left it for a group of its own, as browsers do. The latter is found by a
// variable in its environment, where the system shows those of all processes (Linux).
import { readdirSync, readFileSync } from 'node:fs'

/** Variable that all processes of a job inherit. Its value is the job's own. */
export const JOB = 'TEST_JOB'

/**
 * @param group the process group of the job's process, which may be the caller's own
 * @param mark value of the variable
 */
export function endAll (group, mark) {
  marked(mark).filter((pid) => pid !== process.pid).forEach(kill)
  kill(-group)
}

function marked (mark) {
  const isMarked = (pid) => readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${JOB}=${mark}`)
  return numbersIn('/proc').filter((pid) => {
    try {
      return isMarked(pid)
    } catch { return false /* it has ended, or belongs to somebody else */ }
  })
}

function numbersIn (folder) {
  try {
    return readdirSync(folder).map(Number).filter((number) => number > 0)
  } catch { return [] /* another system */ }
}

function kill (pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch { /* nothing is left of it */ }
}
