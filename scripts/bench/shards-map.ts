/** Which database a user lives in: a hash of the user id names a bucket, and a map names its database. */

const BUCKETS = 1_024
const MOST_DATABASES = 16

/**
 * What a version of the Worker knows: users move from the map of `from` databases to the map of `to`.
 * `from` is 0 if nobody moves.
 */
export interface Maps {
  from: number
  to: number
}

const encoder = new TextEncoder()

/** The user's bucket: the first 32 bits of the SHA-256 of the id, modulo 1,024. */
export async function bucketOf(userId: string): Promise<number> {
  const hash = await crypto.subtle.digest('SHA-256', encoder.encode(userId))
  return new DataView(hash).getUint32(0) % BUCKETS
}

/** The database of each bucket. A database that is added takes an equal part of each other's buckets. */
function mapOf(count: number): number[] {
  const map = Array.from({ length: BUCKETS }, () => 0)
  for (let added = 1; added < count; added += 1) {
    const kept = Array.from({ length: added }, () => Math.ceil(BUCKETS / (added + 1)))
    for (const [bucket, owner] of map.entries()) {
      const left = kept[owner] ?? 0
      if (left === 0) map[bucket] = added
      else kept[owner] = left - 1
    }
  }
  return map
}

const MAPS = Array.from({ length: MOST_DATABASES + 1 }, (_, count) => mapOf(count))

/** The number of the user's database, of `count` databases. */
export async function databaseOf(userId: string, count: number): Promise<number> {
  return databaseOfBucket(await bucketOf(userId), count)
}

/** The number of the bucket's database, of `count` databases. */
export function databaseOfBucket(bucket: number, count: number): number {
  const database = MAPS[count]?.[bucket]
  if (database === undefined) throw new Error(`The maps do not include one of ${count} databases`)
  return database
}
