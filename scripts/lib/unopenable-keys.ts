/** Whose stored keys do not open, so that an operator can ask for these keys again. */

import type { Slot } from '../../src/crypto/seal.ts'
import { BULK_DEADLINE_MS, run } from '../../src/store/d1.ts'
import { selectSlotsUnder } from '../../src/store/all-keys.ts'
import { ownerId, type OwnerId } from '../../src/shared/owner.ts'
import { npmCommand } from './advice.ts'
import type { Where } from './database.ts'
import { leftUnder, type KidStatus, type RotationStatus } from './key-status.ts'
import { formatCount } from './progress.ts'

/** A key that does not open, as `--json` prints it. */
export type UnopenableKey = OwnerId & {
  provider: string
  key_id: string
}

/** The keys that do not open. `rows` is how many there are, and `keys` has at most {@link LISTED} of them. */
export interface Unopenable {
  rows: number
  keys: UnopenableKey[]
}

const LISTED = 10_000
const SHOWN = 20

/**
 * Finds the rows of each kid of which a finished pass opened none that is left. Rows under the first key are not
 * among them: sound ones have the same kid.
 */
export async function findUnopenable(db: D1Database, status: RotationStatus): Promise<Unopenable> {
  const kids = new Set(status.key_ids.filter(isUnopenable(status)).map(({ key_id }) => key_id))
  const rows = status.key_ids
    .filter(({ key_id }) => kids.has(key_id))
    .reduce((sum, kid) => sum + kid.rows, 0)
  if (rows === 0) return { rows, keys: [] }
  const { results } = await run(db, selectSlotsUnder([...kids], LISTED), BULK_DEADLINE_MS)
  return { rows, keys: results.map(describeSlot) }
}

function describeSlot({ userId, provider, kid }: Slot & { kid: string }) {
  return { ...ownerId(userId), provider, key_id: kid }
}

function isUnopenable(status: RotationStatus) {
  const { keyring, rewrap } = status
  const isFinished = rewrap !== null && rewrap.finished_at !== null
  return ({ key_id }: KidStatus): boolean => {
    if (key_id === keyring?.seals) return false
    const { rows, lost, unopenable } = leftUnder(status, key_id)
    return rows > 0 && (rows <= lost || (isFinished && rows <= unopenable))
  }
}

/** The keys in lines of words. There are none without such keys. */
export function describeUnopenable({ rows, keys }: Unopenable, where: Where): string[] {
  if (rows === 0) return []
  const shown = keys.slice(0, SHOWN).map(({ user_id, team_id, provider, key_id }) => {
    const owner =
      team_id === undefined ? JSON.stringify(user_id) : `team ${JSON.stringify(team_id)}`
    return `  ${owner}  ${provider}  (${key_id})`
  })
  const more = rows - shown.length
  const rest =
    more > 0
      ? [`  ${formatCount(more)} more: ${npmCommand('-s keys -- status --json', where)}`]
      : []
  const title =
    rows === 1
      ? '1 stored key does not open. If you have no other encryption key that may open it, ask its user, or an admin of its team, to save it again:'
      : `${formatCount(rows)} stored keys do not open. If you have no other encryption key that may open them, ask their users, or admins of their teams, to save them again:`
  return ['', title, ...shown, ...rest]
}
