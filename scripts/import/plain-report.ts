/** Reports what an import from another store has done, and what its operator has to check. */

import { formatCount, formatSeconds } from '../lib/progress.ts'
import type { Owner, PlainLine } from './plain-lines.ts'
import type { Outcome } from './plain-send.ts'

/** A line that has no key in the vault now. Only `--json` has the owner: an id may be a key in the wrong column. */
interface Finding {
  line: number
  reason: string
  owner: Owner | null
}

/** How many ranges of lines a sentence names. */
const MOST_RANGES = 20

const LEFT_ALONE = `A key that is there already was left alone. Nobody can tell a key that an earlier run saved from one that its
user had before.`

/** Counts the lines of an import. */
export class PlainReport {
  waitedSeconds = 0
  #read = 0
  #usersAdded = 0
  #saved = 0
  #withoutKey = 0
  readonly #refused: Finding[] = []
  readonly #failed: Finding[] = []
  /** The lines whose slot had a key. */
  readonly #taken: number[] = []
  /** Those of them whose key an attempt of this run may have saved, since its answer was lost. */
  readonly #uncertain: number[] = []

  get read(): number {
    return this.#read
  }

  /** Whether the operator has nothing to check. */
  get isClean(): boolean {
    return this.#refused.length === 0 && this.#failed.length === 0
  }

  count(line: PlainLine, outcome: Outcome): void {
    this.#read += 1
    if (outcome.isUserAdded) this.#usersAdded += 1
    switch (outcome.state) {
      case 'saved':
        this.#saved += 1
        return
      case 'without_key':
        this.#withoutKey += 1
        return
      case 'uncertain':
        this.#uncertain.push(line.line)
        this.#taken.push(line.line)
        return
      case 'taken':
        this.#taken.push(line.line)
        return
      case 'refused':
        this.#refused.push(findingOf(line, outcome.reason))
        return
      case 'failed':
        this.#failed.push(findingOf(line, outcome.reason))
    }
  }

  /** The report in words. It shows nothing of a line. */
  describe(): string {
    const rows: [string, number][] = [
      ['Read', this.#read],
      ['Users added', this.#usersAdded],
      ['Keys saved', this.#saved],
      ['Already there', this.#taken.length],
      ['Refused', this.#refused.length],
      ['Failed', this.#failed.length],
      ['Without a key', this.#withoutKey],
    ]
    const counts = rows.map(
      ([name, count]) => `${name.padEnd(14)}${formatCount(count).padStart(12)}`,
    )
    const findings = describeFindings([...this.#refused, ...this.#failed])
    const taken = this.#taken.length > 0 ? [`${nameLines(this.#taken)} had a key already`] : []
    const indented = [...findings, ...taken].map((line) => `  ${line}`)
    const whose = this.isClean ? [] : ['--json lists the users of refused and failed lines.']
    return [...counts, ...indented, ...whose, ...this.#hints()].join('\n')
  }

  /** The report for a program, with the users of what has to be checked. */
  toJson(): object {
    return {
      read: this.#read,
      users_added: this.#usersAdded,
      keys_saved: this.#saved,
      already_there: rangesOf(this.#taken),
      uncertain: rangesOf(this.#uncertain),
      refused: this.#refused.map(toEntry),
      failed: this.#failed.map(toEntry),
      without_key: this.#withoutKey,
      hints: this.#hints(),
    }
  }

  #hints(): string[] {
    const hints = []
    if (this.#taken.length > 0) hints.push(LEFT_ALONE)
    if (this.#uncertain.length > 0) {
      const [keys, lines] = [
        this.#uncertain.length > 1 ? 'keys' : 'key',
        nameLines(this.#uncertain),
      ]
      hints.push(
        `This run may have saved the ${keys} of ${lines}: the answer to an earlier attempt was lost.`,
      )
    }
    if (this.#failed.length > 0) hints.push('To save the keys that failed, run the import again.')
    if (this.waitedSeconds > 0) {
      hints.push(`It waited ${formatSeconds(this.waitedSeconds)} for the rate limits of the vault.`)
    }
    return hints
  }
}

/** A refused line may have no owner. The key is not kept. */
function findingOf(line: PlainLine, reason: string): Finding {
  if ('refused' in line) return { line: line.line, reason, owner: line.owner }
  const { userId, provider } = line
  return { line: line.line, reason, owner: { userId, provider } }
}

/** A sentence for each reason, in the order of the first lines. */
function describeFindings(findings: readonly Finding[]): string[] {
  const inOrder = findings.toSorted((one, other) => one.line - other.line)
  const byReason = Map.groupBy(inOrder, ({ reason }) => reason)
  return Array.from(byReason, ([reason, found]) => {
    const named = nameLines(found.map(({ line }) => line))
    return found.length === 1 ? `${named} ${reason}` : `${named}: each ${reason}`
  })
}

/** `line 7`, or `lines 7, 9–12`. */
function nameLines(lines: readonly number[]): string {
  const ranges = rangesOf(lines)
  const named = ranges.slice(0, MOST_RANGES)
  const texts = named.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`))
  const rest = ranges.length - named.length
  if (rest > 0) texts.push(`and ${formatCount(rest)} more ranges`)
  return `${lines.length === 1 ? 'line' : 'lines'} ${texts.join(', ')}`
}

/** The first and the last line of each run of lines. */
function rangesOf(lines: readonly number[]): [first: number, last: number][] {
  const ranges: [number, number][] = []
  for (const line of lines.toSorted((one, other) => one - other)) {
    const last = ranges.at(-1)
    if (last?.[1] === line - 1) last[1] = line
    else ranges.push([line, line])
  }
  return ranges
}

function toEntry({ line, reason, owner }: Finding): object {
  return { line, reason, user_id: owner?.userId ?? null, provider: owner?.provider ?? null }
}
