/** Reports the imported keys that a file lacks. */

import type { RemainingKey } from '../../src/import/remaining-keys.ts'
import { readOwner } from '../../src/shared/owner.ts'
import { formatCount } from '../lib/progress.ts'
import type { Missing, Removal } from './missing.ts'

const SHOWN = 20

/** How many keys of the Flask backend may be here although it has deleted them. */
export function countLeft(missing: Missing | null, removal: Removal | null): number {
  if (missing === null) return 0
  const { keys, newer } = missing
  return newer.length + (isDone(removal) ? 0 : keys.length)
}

function isDone(removal: Removal | null): boolean {
  return removal !== null && removal.refused === null
}

/** The rows of the table of counts. There are none before anything is looked up. */
export function countMissing(
  missing: Missing | null,
  removal: Removal | null,
): [name: string, count: number][] {
  if (missing === null) return []
  const found = missing.keys.length + missing.newer.length
  return [
    ...(found > 0 ? [['Missing', found] satisfies [string, number]] : []),
    ...(removal === null ? [] : [['Removed', removal.removed] satisfies [string, number]]),
  ]
}

/** What `--json` prints of them. */
export function missingToJson(missing: Missing | null, removal: Removal | null): object {
  const { keys = [], newer = [] }: Partial<Missing> = missing ?? {}
  return {
    missing: [...keys, ...newer].map(({ userId, provider, savedAt }) => {
      return { user_id: readOwner(userId).id, provider, saved_at: savedAt }
    }),
    ...(removal === null ? {} : { removed: removal.removed, not_removed: removal.refused }),
  }
}

/** What an operator must know about missing keys: no line if there are none. */
export function describeMissing({ keys, newer }: Missing, removal: Removal | null): string[] {
  const lines: string[] = []
  if (keys.length > 0 && !isDone(removal)) {
    lines.push(`The file lacks ${countKeys(keys)} of an earlier import:`, ...listKeys(keys))
    lines.push(
      removal === null
        ? 'If the Flask backend has deleted them since, add --remove-missing.'
        : `Nothing was removed. ${removal.refused}`,
    )
  }
  if (newer.length > 0) {
    lines.push(
      `The file lacks ${countKeys(newer)} of an earlier import that are newer than each key in it. They stay, since it may be an older file:`,
      ...listKeys(newer),
    )
  }
  return lines
}

function countKeys(keys: readonly unknown[]): string {
  return keys.length === 1 ? '1 key' : `${formatCount(keys.length)} keys`
}

function listKeys(keys: readonly RemainingKey[]): string[] {
  const shown = keys.slice(0, SHOWN).map(({ userId, provider }) => {
    return `  ${JSON.stringify(readOwner(userId).id)}  ${provider}`
  })
  const rest = keys.length - shown.length
  return rest > 0 ? [...shown, `  ${formatCount(rest)} more: --json lists them all`] : shown
}
