/** Reports what an import has done, and what its operator has to check. */

import type { ImportedKey } from '../../src/import/imported-keys.ts'
import { readOwner } from '../../src/shared/owner.ts'
import type { Where } from '../lib/database.ts'
import type { Line, Unit } from './file.ts'
import { describeCounts, formatCount } from '../lib/progress.ts'
import { countLeft, countMissing, describeMissing, missingToJson } from './missing-report.ts'
import type { Missing, Removal } from './missing.ts'
import { SeenLines } from './seen.ts'
import { adviseFernetKey, type WorkerKeys } from './worker-keys.ts'

/** What an operator has to check in a line. Only `--json` has the user: an id may be a key in the wrong column. */
interface Finding {
  line: number
  reason: string
  user: ImportedKey | null
}

/** A key with its line. */
type ReadKey = Extract<Line, ImportedKey>

const REPEATED = 'has a user and a slot that came before, with another key: the newer key counts'

/** Counts the lines of an import. */
export class Report {
  interrupted = false
  /** What the Worker knows of `LEGACY_FERNET_KEY`; null before it is looked up. */
  worker: WorkerKeys | null = null
  /** What the file lacks; null before it is looked up. */
  missing: Missing | null = null
  /** Null without `--remove-missing`. */
  removal: Removal | null = null
  readonly seen = new SeenLines()
  #read = 0
  #batches = 0
  #usersAdded = 0
  #keysAdded = 0
  #alreadyThere = 0
  #idsWithoutHyphens = 0
  readonly #refused: Finding[] = []
  readonly #doubts: Finding[] = []
  readonly #repeated: Finding[] = []
  readonly #unknownProviders = new Set<string>()
  readonly #knownProviders: ReadonlySet<string>
  readonly #unit: Unit

  constructor(knownProviders: ReadonlySet<string>, unit: Unit) {
    this.#knownProviders = knownProviders
    this.#unit = unit
  }

  get isEmpty(): boolean {
    return this.#read === 0
  }

  get isFirstBatch(): boolean {
    return this.#batches === 0
  }

  /** Whether the operator has nothing to check. */
  get isClean(): boolean {
    return this.#areLinesClean && countLeft(this.missing, this.removal) === 0
  }

  get #areLinesClean(): boolean {
    return [this.#refused, this.#doubts, this.#repeated].every((findings) => findings.length === 0)
  }

  /** Counts a line of the file. Returns false if the line is refused. */
  count(line: Line): line is ReadKey {
    this.#read += 1
    const isRepeated = this.seen.add(line)
    if ('refused' in line) {
      this.#refused.push({ line: line.line, reason: line.refused, user: line.user })
      return false
    }
    if (/^[0-9a-f]{32}$/i.test(line.userId)) this.#idsWithoutHyphens += 1
    if (!this.#knownProviders.has(line.provider)) this.#unknownProviders.add(line.provider)
    if (isRepeated) this.#repeated.push({ line: line.line, reason: REPEATED, user: line })
    return true
  }

  /** Adds an imported key that cannot be used. */
  doubt(key: ReadKey, reason: string): void {
    this.#doubts.push({ line: key.line, reason, user: key })
  }

  /** Counts a written batch of `count` keys. */
  wrote(count: number, changes: { users: number; keys: number; news: number }): void {
    this.#batches += 1
    this.#usersAdded += changes.users
    this.#keysAdded += changes.keys
    this.#alreadyThere += count - changes.news
  }

  /** Counts the users of refused lines that were added without a key. */
  wroteUsers(added: number): void {
    this.#batches += 1
    this.#usersAdded += added
  }

  /** The report in words. */
  describe(where: Where, isChecked: boolean): string {
    const kept = this.#refused.filter(({ user }) => user !== null).length
    const rows: [string, number][] = [
      ['Read', this.#read],
      ['Users added', this.#usersAdded],
      ['Keys added', this.#keysAdded],
      ['Already there', this.#alreadyThere],
      ['Refused', this.#refused.length],
      ...(kept > 0 ? [['Without a key', kept] satisfies [string, number]] : []),
      ...(isChecked ? [['Not usable', this.#doubts.length] satisfies [string, number]] : []),
      ...countMissing(this.missing, this.removal),
    ]
    const others = [...this.#doubts, ...this.#repeated]
    const lines = [
      ...this.#refused.map((finding) => describeRefusal(finding, this.#unit)),
      ...others.map((finding) => describeFinding(finding, this.#unit)),
    ]
    const whose = this.#areLinesClean ? [] : [`--json lists the users of these ${this.#unit}s.`]
    const indented = lines.map((line) => `  ${line}`)
    const missing = this.missing === null ? [] : describeMissing(this.missing, this.removal)
    return [
      ...describeCounts(rows),
      ...indented,
      ...whose,
      ...missing,
      ...this.#hints(where, isChecked),
    ].join('\n')
  }

  /** The report for a program, with the users of what has to be checked. */
  toJson(where: Where, isChecked: boolean): object {
    return {
      read: this.#read,
      users_added: this.#usersAdded,
      keys_added: this.#keysAdded,
      already_there: this.#alreadyThere,
      refused: this.#refused.map(toEntry),
      not_usable: this.#doubts.map(toEntry),
      repeated: this.#repeated.map(toEntry),
      ...missingToJson(this.missing, this.removal),
      hints: this.#hints(where, isChecked),
    }
  }

  #hints(where: Where, isChecked: boolean): string[] {
    const hints = []
    if (this.#refused.some(({ user }) => user !== null)) {
      hints.push(
        `To add the keys that were refused, mend their ${this.#unit}s, and run the import again.`,
      )
    }
    if (this.worker !== null && (isChecked || this.#keysAdded > 0)) {
      hints.push(...adviseFernetKey(this.worker, where, isChecked))
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

/** A refused line in words. It shows nothing of the line. */
export function describeRefusal({ user, ...finding }: Finding, unit: Unit): string {
  const rest = user === null ? '' : '; its user is there without this key'
  return `${describeFinding(finding, unit)}${rest}`
}

function describeFinding({ line, reason }: Pick<Finding, 'line' | 'reason'>, unit: Unit): string {
  return `${unit} ${line} ${reason}`
}

function toEntry({ line, reason, user }: Finding): object {
  return {
    line,
    reason,
    user_id: user && readOwner(user.userId).id,
    provider: user?.provider ?? null,
  }
}
