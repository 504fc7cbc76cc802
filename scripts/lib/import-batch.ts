/** The statements of an import, which two programs run. */

import { FERNET_KID } from '../../src/crypto/keyring.ts'
import type { Statement } from '../../src/store/d1.ts'
import {
  insertImportedUsers,
  noteImported,
  noteImportedGone,
  toImportedKeys,
  upsertImported,
  upsertImportedKeys,
  type ImportedKey,
} from '../../src/store/imported-keys.ts'
import { noteAllReplaced, noteKid } from '../../src/store/kids.ts'

/**
 * Writes these keys, if it runs as one transaction. The fourth statement changes a row for each new user, the fifth
 * one for each key, and the last one for each key that no import has brought before.
 */
export function importKeys(keys: readonly ImportedKey[]): Statement[] {
  const imported = toImportedKeys(keys)
  return [
    noteAllReplaced(imported),
    noteImportedGone(imported),
    noteKid(FERNET_KID),
    insertImportedUsers(imported),
    upsertImportedKeys(imported),
    noteImported(imported),
    upsertImported(imported),
  ]
}
