/**
 * What is set for a process whose lines are not to be counted: it compiles the sources by another loader, and counted together with those of the tests
 * they would blur the coverage of both. The first is Node's own way, the second that of tap, whose loader is handed on to every child.
 */
export const UNCOUNTED = { NODE_V8_COVERAGE: '', _TAPJS_PROCESSINFO_COVERAGE_: '0' }
