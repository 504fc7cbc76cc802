/** Counts what an export has written, and what it has left out. */

import type { KeyRow } from '../../src/store/api-keys.ts'
import { variableOf } from '../lib/key-status.ts'
import { describeCounts, formatCount } from '../lib/progress.ts'

/** Why a key is not in the file, and how that is printed. */
const REASONS = {
  expired: 'Expired',
  gone: 'Gone',
  unreadable: 'Unreadable',
  changed: 'Changed',
  elsewhere: 'Other slots',
} as const

export type LeftOut = keyof typeof REASONS

const OWN = 'API_KEY_ENCRYPTION_KEY'

/** What an export has done so far. */
export class ExportReport {
  written = 0
  /** Written keys that have limits here. */
  #limited = 0
  readonly #leftOut = new Map<string, number>()
  /** The kids of the encryption keys that the command lacks. */
  readonly #lacking = new Set<string>()

  wrote({ pausedAt, callers, maxUses, expiresAt }: KeyRow): void {
    this.written += 1
    if ([pausedAt, callers, maxUses, expiresAt].some((limit) => limit !== null)) this.#limited += 1
  }

  leftOut(reason: LeftOut, count = 1): void {
    this.#leftOut.set(reason, this.#count(reason) + count)
  }

  /** The encryption key with this kid was needed. */
  lacked(kid: string): void {
    this.#lacking.add(kid)
  }

  /** Whether the file has every key that it should have. */
  get isComplete(): boolean {
    return this.written > 0 && this.#count('unreadable') + this.#count('changed') === 0
  }

  #count(reason: string): number {
    return this.#leftOut.get(reason) ?? 0
  }

  describe(file: string): string {
    const leftOut = Object.entries(REASONS).map(
      ([reason, name]) => [name, this.#count(reason)] as const,
    )
    const counts = describeCounts([['Written', this.written], ...leftOut])
    return [...counts, ...this.#hints(), this.#adviseFile(file)].join('\n')
  }

  #hints(): string[] {
    const hints = Array.from(this.#lacking, (kid) => {
      return `${variableOf(kid) || OWN} lacks the key that opens rows under ${kid}.`
    })
    if (this.#count('changed') > 0) {
      hints.push('Some keys were replaced or deleted meanwhile. Export again, to another file.')
    }
    if (this.#limited > 0) {
      const limited = formatCount(this.#limited)
      hints.push(
        `Written, but paused or limited here: ${limited}. The Flask backend does not know that.`,
      )
    }
    return hints
  }

  #adviseFile(file: string): string {
    return this.written > 0
      ? `Remove ${file} when the Flask backend has its keys.`
      : `No key was written, so there is no ${file}.`
  }
}
