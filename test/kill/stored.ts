/** What the database and the second store hold, for the kill test. */

import type { Deletions } from '../../src/index.ts'

/** What the tables hold. */
export interface Stored {
  /** In which tables the imported users are: a pair for each row. */
  imported: [userId: string, table: string][]
  /** The identities of the keys that are gone, of both stores. */
  gone: string[]
  /** Rows that do not agree with each other, one sentence each. */
  wrong: string[]
}

/** The slots of imported users have names that begin so. */
export const IMPORTED = 'import-'

const IN_IMPORTS = `FROM users WHERE id LIKE '${IMPORTED}%'`
const OF_IMPORTS = `WHERE user_id LIKE '${IMPORTED}%'`
const IMPORTED_ROWS = `SELECT id AS user, 'users' AS found ${IN_IMPORTS}
  UNION ALL SELECT user_id, 'api_keys' FROM api_keys ${OF_IMPORTS}
  UNION ALL SELECT user_id, 'imported_keys' FROM imported_keys ${OF_IMPORTS}
  UNION ALL SELECT user_id, event FROM api_key_events ${OF_IMPORTS} AND event = 'imported'`

/** A key that is stored is not gone. The only deletions are requests, and each tombstone says so. */
const WRONG_ROWS = `SELECT user_id || '/' || provider || ' has a key whose tombstone is stored' AS sentence
    FROM api_keys JOIN gone_keys USING (identity)
  UNION ALL
  SELECT identity || ' is gone because of ' || cause FROM gone_keys WHERE cause <> 'request'`

/** Reads the tables. D1 comes before the second store, because the job moves keys that way. */
export async function readStored({ DB: db, DELETIONS: deletions }: Env): Promise<Stored> {
  const imported = await db.prepare(IMPORTED_ROWS).all<{ user: string; found: string }>()
  const wrong = await db.prepare(WRONG_ROWS).all<{ sentence: string }>()
  const noted = await db.prepare('SELECT identity FROM gone_keys').all<{ identity: string }>()
  const stored = await db.prepare('SELECT identity FROM api_keys').all<{ identity: string }>()
  const copied = new Set(await readCopied(deletions))
  const revived = stored.results.filter(({ identity }) => copied.has(identity))
  return {
    imported: imported.results.map(({ user, found }) => [user, found]),
    gone: [...noted.results.map(({ identity }) => identity), ...copied],
    wrong: [
      ...wrong.results.map(({ sentence }) => sentence),
      ...revived.map(
        ({ identity }) => `${identity} is stored, and the second store says that it is gone`,
      ),
    ],
  }
}

async function readCopied(
  deletions: DurableObjectNamespace<Deletions> | undefined,
): Promise<string[]> {
  const identities: string[] = []
  const store = deletions?.getByName('deletions')
  if (store === undefined) return identities
  for (let [copied, isComplete] = [0, false]; !isComplete;) {
    const page = await store.exchange(copied, [])
    identities.push(...page.missing)
    ;({ copied, isComplete } = page)
  }
  return identities
}
