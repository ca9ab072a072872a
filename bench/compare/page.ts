// The page of the benchmark. A run of some suites replaces their sections alone.

/** Splits a page into its introduction and its sections, each of which begins with its heading of the second level. */
function split (page: string): [introduction: string, ...sections: string[]] {
  return page.split(/\n+(?=## )/).map((part) => part.trim()) as [string, ...string[]]
}

function headingOf (section: string): string { return section.split('\n', 1)[0]! }

/**
 * Puts the sections of a run into the page of earlier ones: in the place of the section with the same heading, or at the end.
 * @param fresh introduction and sections of the run
 */
export function withSections (page: string, fresh: string): string {
  const [, ...old] = split(page)
  const [introduction, ...sections] = split(fresh)
  const replaced = old.map((section) => sections.find((other) => headingOf(other) === headingOf(section)) ?? section)
  const added = sections.filter((section) => !old.some((other) => headingOf(other) === headingOf(section)))
  return `${[introduction, ...replaced, ...added].join('\n\n')}\n`
}
