// The page of the benchmark keeps the sections of suites that did not run.
import t from 'tap'
import { withSections } from '../../bench/compare/page.js'

t.test('a run of some suites replaces their sections, and adds new ones', async (t) => {
  const page = '# Page\n\nOld.\n\n## Relay\n\nold\n\n| a |\n\n## Burst\n\nold\n'
  t.equal(withSections(page, '# Page\n\nNew.\n\n## Burst\n\nnew\n\n## Idle\n\nnew'), '# Page\n\nNew.\n\n## Relay\n\nold\n\n| a |\n\n## Burst\n\nnew\n\n## Idle\n\nnew\n')
})
