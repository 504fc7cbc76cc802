/** The statements of an import, which two programs run. */

import type { Statement } from '../../src/store/d1.ts'
import {
  insertImportedUsers,
  noteImported,
  noteImportedGone,
  noteImportedKid,
  toImportedKeys,
  upsertImported,
  upsertImportedKeys,
  type ImportedKey,
} from '../../src/store/imported-keys.ts'
import { noteAllReplaced } from '../../src/store/kids.ts'

/**
 * Writes these keys, if it runs as one transaction. The fourth statement changes a row for each new user, the fifth
 * one for each key, and the last one for each key that no import has brought before.
 */
export function importKeys(keys: readonly ImportedKey[]): Statement[] {
  const imported = toImportedKeys(keys)
  return [
    noteAllReplaced(imported),
    noteImportedGone(imported),
    noteImportedKid(imported),
    insertImportedUsers(imported),
    upsertImportedKeys(imported),
    noteImported(imported),
    upsertImported(imported),
  ]
}
