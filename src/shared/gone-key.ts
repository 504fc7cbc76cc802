/** What the vault remembers of a key that was deleted or replaced. */

/** A key that is gone. If `provider` and `version` are empty, it is a user who was removed. */
export interface GoneKey {
  userId: string
  /** The slot that it was last in. */
  provider: string
  /** The `updated_at` of its row. */
  version: string
  /** ISO 8601 in UTC. */
  goneAt: string
}
