/** What the database and the second store hold, for the kill test. */

import type { Deletions } from '../../src/index.ts'

/** A key that is gone, as `user/slot version`. */
export type GoneName = string

/** What the tables hold. */
export interface Stored {
  /** In which tables the imported users are: a pair for each row. */
  imported: [userId: string, table: string][]
  /** The keys that are gone, of both stores. */
  gone: GoneName[]
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

/** Each key that is gone has a fingerprint of its own, since no key is saved twice. */
const WRONG_ROWS = `SELECT user_id || ' has a row of ' || key_id || ', which is noted as unused' AS sentence
    FROM api_keys WHERE key_id NOT IN (SELECT key_id FROM key_ids WHERE state <> 'unused')
  UNION ALL
  SELECT id || ' has ' || known || ' known keys, and ' || gone || ' keys that went' FROM (
    SELECT id,
      (SELECT count(*) FROM known_keys WHERE user_id = id) AS known,
      (SELECT count(*) FROM api_key_events AS e WHERE e.user_id = users.id AND event IN ('replaced', 'deleted')) AS gone
    FROM users
  ) WHERE known <> gone`

/** Reads the tables. D1 comes before the second store, because the job moves keys that way. */
export async function readStored({ DB: db, DELETIONS: deletions }: Env): Promise<Stored> {
  const imported = await db.prepare(IMPORTED_ROWS).all<{ user: string; found: string }>()
  const wrong = await db.prepare(WRONG_ROWS).all<{ sentence: string }>()
  const noted = await db
    .prepare("SELECT user_id || '/' || provider || ' ' || version AS name FROM gone_keys")
    .all<{ name: string }>()
  return {
    imported: imported.results.map(({ user, found }) => [user, found]),
    gone: [...noted.results.map(({ name }) => name), ...(await readCopied(deletions))],
    wrong: wrong.results.map(({ sentence }) => sentence),
  }
}

async function readCopied(
  deletions: DurableObjectNamespace<Deletions> | undefined,
): Promise<GoneName[]> {
  const names: GoneName[] = []
  const store = deletions?.getByName('deletions')
  if (store === undefined) return names
  for (let [copied, isComplete] = [0, false]; !isComplete;) {
    const page = await store.exchange(copied, [])
    for (const { userId, provider, version } of page.missing) {
      names.push(`${userId}/${provider} ${version}`)
    }
    ;({ copied, isComplete } = page)
  }
  return names
}
