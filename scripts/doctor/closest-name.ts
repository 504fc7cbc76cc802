/** Finds the name that somebody may have meant. */

/** More than so many typing errors are another name. */
const MAX_ERRORS = 3

/** The closest of `names`; null if none is close. */
export function closestName(given: string, names: readonly string[]): string | null {
  const ranked = names
    .map((name) => ({ name, errors: countErrors(given, name) }))
    .toSorted((one, other) => one.errors - other.errors)
  const [best] = ranked
  return best !== undefined && best.errors <= MAX_ERRORS ? best.name : null
}

/** How many characters have to be added, left out or changed (Levenshtein distance). */
function countErrors(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [index, character] of Array.from(from).entries()) {
    const next = [index + 1]
    for (const [place, other] of Array.from(to).entries()) {
      const changed = (row[place] ?? 0) + (character === other ? 0 : 1)
      next.push(Math.min(changed, (row[place + 1] ?? 0) + 1, (next[place] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
