/** What a file has of each slot, so that the import can tell what the file lacks. */

import type { Slot } from '../../src/crypto/seal.ts'
import type { Line } from './file.ts'

/** V8 copies a part of a string only if it is this short. A longer one would keep the whole token. */
const END_LENGTH = 12

/** The lines of a file that were read so far. */
export class SeenLines {
  /** When the newest key of the file was saved. */
  newest = ''
  /** The slots that the lines name. */
  readonly slots = new Set<string>()
  /** The first line that does not say whose it is; null if there is none. */
  nameless: number | null = null
  /** For each user and slot, the end of the first token: a part of its HMAC. */
  readonly #ends = new Map<string, string>()
  /** The users of refused lines, which may have a key all the same. */
  readonly #doubtful = new Set<string>()

  /** Returns whether an earlier line has another key for the same user and slot. */
  add(line: Line): boolean {
    if ('refused' in line) {
      if (line.user === null) this.nameless ??= line.line
      else this.#doubtful.add(line.user.userId)
      return false
    }
    this.slots.add(line.provider)
    if (line.token === null) return false
    if (line.savedAt > this.newest) this.newest = line.savedAt
    const end = line.token.slice(-END_LENGTH)
    const first = this.#ends.get(nameSlot(line))
    if (first === undefined) this.#ends.set(nameSlot(line), end)
    return first !== undefined && first !== end
  }

  /** Whether the file has a key for the slot, or may have one. */
  has(slot: Slot): boolean {
    return this.#ends.has(nameSlot(slot)) || this.#doubtful.has(slot.userId)
  }
}

function nameSlot({ userId, provider }: Slot): string {
  return `${userId}\0${provider}`
}
