/** What must hold of a version before it is released, and what its files say. */

/** A `package.json`, or the part of a lock file that names the version. */
export interface Versioned {
  file: string
  version: string | undefined
}

export interface Candidate {
  /** The tag, such as `v1.0.0`. */
  tag: string
  versions: readonly Versioned[]
  changelog: string
  /** What `git status --porcelain` prints. */
  changes: string
}

const TAG = /^v\d+\.\d+\.\d+(?:-[\w.]+)?$/

/** Says why the version cannot be released, one sentence a reason. */
export function nameReleaseFaults({ tag, versions, changelog, changes }: Candidate): string[] {
  const version = tag.slice(1)
  const others = versions.filter((named) => named.version !== version)
  return [
    ...(TAG.test(tag) ? [] : [`${tag} is not a tag of a version, such as v1.0.0`]),
    ...others.map(({ file, version: other }) => `${file} has the version ${other}, not ${version}`),
    ...(findNotes(changelog, version)
      ? []
      : [`CHANGELOG.md has no section ## [${version}] - DATE`]),
    ...(changes === ''
      ? []
      : [`The checkout has changes that no commit has:\n${changes.trimEnd()}`]),
  ]
}

/** The changelog's section of a version, without its heading; null if it has none, or an empty one. */
export function findNotes(changelog: string, version: string): string | null {
  const sections = changelog.split(/^## /m).slice(1)
  const section = sections.find((text) => text.startsWith(`[${version}] - `))
  const [, notes = ''] = /^\[.*\] - \d{4}-\d{2}-\d{2}\n(.*)$/s.exec(section ?? '') ?? []
  return notes.trim() === '' ? null : `${notes.trim()}\n`
}

/** Makes links to pages of the repository absolute, below `base`. */
export function linkAbsolutely(markdown: string, base: string): string {
  return markdown.replaceAll(/\]\((?![a-z]+:|#)/g, `](${base}/`)
}

/**
 * The tag of the npm registry under which a version is found: `latest`, `next` for a pre-release, and `v1` for a
 * version 1 that is published after a newer version.
 */
export function findDistTag(version: string, tags: readonly string[]): string {
  if (version.includes('-')) return 'next'
  const released = tags.filter((tag) => TAG.test(tag) && !tag.includes('-'))
  const order = new Intl.Collator('en', { numeric: true })
  const isNewest = released.every((tag) => order.compare(tag, `v${version}`) <= 0)
  return isNewest ? 'latest' : `v${version.split('.')[0]}`
}
