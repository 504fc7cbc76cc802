/** Reports what an import has done, and what its operator has to check. */

import type { Where } from './database.ts'
import type { Line } from './import-file.ts'
import { formatCount } from './progress.ts'

/** Counts the lines of an import. */
export class Report {
  interrupted = false
  /** The kids of `LEGACY_FERNET_KEY` that the Worker lacks. */
  missingKids: string[] = []
  #read = 0
  #batches = 0
  #usersAdded = 0
  #keysAdded = 0
  #alreadyThere = 0
  #idsWithoutHyphens = 0
  readonly #refused: string[] = []
  readonly #doubts: string[] = []
  readonly #unknownProviders = new Set<string>()
  readonly #knownProviders: ReadonlySet<string>

  constructor(knownProviders: ReadonlySet<string>) {
    this.#knownProviders = knownProviders
  }

  get isEmpty(): boolean {
    return this.#read === 0
  }

  get isFirstBatch(): boolean {
    return this.#batches === 0
  }

  /** Whether the operator has nothing to check. */
  get isClean(): boolean {
    return this.#refused.length === 0 && this.#doubts.length === 0
  }

  /** Counts a line of the file. Returns false if the line is refused. */
  count(line: Line): line is Exclude<Line, { refused: string }> {
    this.#read += 1
    if ('refused' in line) {
      this.#refused.push(`line ${line.line} ${line.refused}`)
      return false
    }
    if (/^[0-9a-f]{32}$/i.test(line.userId)) this.#idsWithoutHyphens += 1
    if (!this.#knownProviders.has(line.provider)) this.#unknownProviders.add(line.provider)
    return true
  }

  /** Adds an imported key that cannot be used. */
  doubt(line: number, fault: string): void {
    this.#doubts.push(`line ${line} ${fault}`)
  }

  /** Counts a written batch of `count` keys. */
  wrote(count: number, changes: { users: number; keys: number; news: number }): void {
    this.#batches += 1
    this.#usersAdded += changes.users
    this.#keysAdded += changes.keys
    this.#alreadyThere += count - changes.news
  }

  /** The report in words. */
  describe(where: Where, isChecked: boolean): string {
    const rows: [string, number][] = [
      ['Read', this.#read],
      ['Users added', this.#usersAdded],
      ['Keys added', this.#keysAdded],
      ['Already there', this.#alreadyThere],
      ['Refused', this.#refused.length],
      ...(isChecked ? [['Not usable', this.#doubts.length] satisfies [string, number]] : []),
    ]
    const counts = rows.map(
      ([name, count]) => `${name.padEnd(14)}${formatCount(count).padStart(12)}`,
    )
    const lines = [...this.#refused, ...this.#doubts].map((reason) => `  ${reason}`)
    return [...counts, ...lines, ...this.#hints(where, isChecked)].join('\n')
  }

  #hints({ remote }: Where, isChecked: boolean): string[] {
    const hints = []
    if (this.#keysAdded > 0 && !isChecked) {
      const place = remote ? 'in the environment of this command' : 'in .dev.vars'
      hints.push(
        `No key was checked, because LEGACY_FERNET_KEY is not set ${place}.`,
        'Until the Worker has it, imported keys do not open. Set it, and run the import again to check them.',
      )
    }
    if (this.missingKids.length > 0) {
      hints.push(
        'The Worker does not have this LEGACY_FERNET_KEY yet, so imported keys do not open.',
        `Set it${remote ? ': npx wrangler secret put LEGACY_FERNET_KEY' : ' in .dev.vars, and start npm run dev again'}`,
      )
    }
    if (this.#idsWithoutHyphens > 0) {
      hints.push(
        `${formatCount(this.#idsWithoutHyphens)} ids look like UUIDs without hyphens. A token's sub usually has them.`,
        'Compare an id with the sub of a token before users sign in.',
      )
    }
    for (const provider of this.#unknownProviders) {
      hints.push(`The provider ${provider} is not built in: add it to PROVIDERS.`)
    }
    return hints
  }
}
