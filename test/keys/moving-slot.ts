/** A slot of which the plain route has a key too, at each moment of the move to the slot of `DEFAULT_PROVIDER`. */

import { sealKey } from '../../src/crypto/seal.ts'
import { openService } from '../../src/service.ts'
import { updateLimits, type NewLimits } from '../../src/store/limits.ts'
import { runBatch } from '../../src/store/d1.ts'
import { env } from '../isolate.ts'
import { someEncryptionKey, someUser } from '../support.ts'
import { someKeyOf } from './key-owner.ts'

type Row = 'default' | 'openai'

/** A key that the vault does not open, for want of its encryption key or because it was damaged. */
type Fault = 'missing' | 'damaged'

interface Moment {
  /** The rows, the one that was saved later last. */
  rows: readonly Row[]
  /** What is wrong with the later key. */
  fault?: Fault
  /** The row whose key counts. */
  counts: Row
}

const BOTH = ['openai', 'default'] as const
const OWN_LATER = ['default', 'openai'] as const

/** Each moment of the move, by its name. */
export const MOMENTS: Record<string, Moment> = {
  'a key of the plain route alone': { rows: ['default'], counts: 'default' },
  'a later key of the plain route': { rows: BOTH, counts: 'default' },
  'an earlier key of the plain route': { rows: OWN_LATER, counts: 'openai' },
  'a later key of the plain route without its encryption key': {
    rows: BOTH,
    fault: 'missing',
    counts: 'openai',
  },
  'a later key of the plain route that is damaged': {
    rows: BOTH,
    fault: 'damaged',
    counts: 'openai',
  },
  'a later key of the slot without its encryption key': {
    rows: OWN_LATER,
    fault: 'missing',
    counts: 'default',
  },
  'a later key of the slot that is damaged': {
    rows: OWN_LATER,
    fault: 'damaged',
    counts: 'default',
  },
}

/** The encryption key that is missing. */
const MISSING = someEncryptionKey()

/** The vault during the move. */
export const moving = () => ({ ...env, DEFAULT_PROVIDER: 'openai' })

/** The vault after the missing encryption key has been found. */
export const complete = () => ({
  ...moving(),
  API_KEY_ENCRYPTION_KEY: `${env.API_KEY_ENCRYPTION_KEY},${MISSING}`,
})

/** Adds a user with the keys of a moment: the user id, and the keys by row. */
export async function someMovingUser({ rows, fault }: Moment, limits: Limited = {}) {
  const userId = await someUser()
  const keys: Record<Row, string> = { default: someKeyOf('good'), openai: someKeyOf('good') }
  for (const [index, provider] of rows.entries()) {
    const isFaulty = fault !== undefined && index === rows.length - 1
    const slot = { userId, provider, updatedAt: `2026-01-0${index + 1}T00:00:00.000Z` }
    // oxlint-disable-next-line no-await-in-loop -- D1 takes one change after the other
    await storeKey(slot, keys[provider], isFaulty ? fault : null)
    const given = limits[provider]
    // oxlint-disable-next-line no-await-in-loop -- the limits are those of the row
    if (given !== undefined) await limit({ userId, provider }, given)
  }
  return { userId, keys }
}

/** The limits of the keys, by row. */
export type Limited = Partial<Record<Row, NewLimits>>

interface DatedSlot {
  userId: string
  provider: Row
  updatedAt: string
}

async function storeKey(slot: DatedSlot, apiKey: string, fault: Fault | null): Promise<void> {
  const { userId, provider, updatedAt } = slot
  const vault = fault === 'missing' ? { ...env, API_KEY_ENCRYPTION_KEY: MISSING } : env
  const { keyring } = await openService(vault)
  const { sealed, kid } = await sealKey(keyring, slot, apiKey)
  const stored = fault === 'damaged' ? `${sealed}AAAA` : sealed
  await env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
     VALUES (?1, ?2, ?3, ?4, ?5)`,
  )
    .bind(userId, provider, stored, kid, updatedAt)
    .run()
}

async function limit(slot: { userId: string; provider: Row }, limits: NewLimits): Promise<void> {
  await runBatch(env.DB, updateLimits({ ...slot, by: { kind: 'owner' } }, limits))
}
