/** What the importer of the kill test knows, and whether the vault still knows it after a kill. */

import { makeFernet } from '../import/make-fernet.ts'
import type { ImportedKey } from '../../src/import/imported-keys.ts'
import { IMPORTED, type Stored } from './stored.ts'

const USERS_PER_IMPORT = 5
/** The rows of an imported user: the user, the key, the time up to which imports ignore keys, and the event. */
const TABLES = 4
const IV_BYTES = 16

/** The imports so far, each as its users. */
export interface Imports {
  acknowledged: string[][]
  /** The import that is not acknowledged yet. */
  pending: string[] | null
}

/** Makes an import of new users. `name` is unique. */
export async function makeImport(
  name: string,
  { fernetKey, random }: { fernetKey: Uint8Array; random: () => number },
): Promise<ImportedKey[]> {
  const seconds = Math.floor(Date.now() / 1_000)
  const keys = Array.from({ length: USERS_PER_IMPORT }, async (_, index) => {
    const iv = Uint8Array.from({ length: IV_BYTES }, () => random() * 256)
    const text = new TextEncoder().encode(`sk-import-${name}-${index}`)
    return {
      userId: `${IMPORTED}${name}-${index}`,
      provider: 'default',
      token: await makeFernet(fernetKey, iv, seconds, text),
      savedAt: new Date(seconds * 1_000).toISOString(),
    }
  })
  return Promise.all(keys)
}

/**
 * Compares the imported users with what was acknowledged. The import that was under way may have been made, or not
 * at all.
 *
 * @returns what is wrong, one sentence each
 */
export function findImportLosses(
  imports: Imports,
  { imported }: Pick<Stored, 'imported'>,
): string[] {
  const tables = Map.groupBy(imported, ([userId]) => userId)
  const rowsOf = (userId: string) => new Set(tables.get(userId)?.map(([, table]) => table)).size
  const { pending } = imports
  if (pending !== null && pending.some((userId) => rowsOf(userId) > 0)) {
    imports.acknowledged.push(pending)
  }
  imports.pending = null
  return imports.acknowledged.flat().flatMap((userId) => {
    const [rows, found] = [tables.get(userId)?.length ?? 0, rowsOf(userId)]
    return rows === TABLES && found === TABLES
      ? []
      : [`${userId} has ${rows} rows in ${found} of ${TABLES} tables`]
  })
}
