/** What a provider says about a key, and what is recorded of it. */

import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import type { Credential } from '../providers/base-url.ts'
import type { Provider } from '../providers/provider.ts'
import { tryKey } from '../providers/request.ts'
import type { Service } from '../service.ts'
import type { Settings } from '../settings.ts'
import type { KeyStatus, Verdict } from '../shared/slot.ts'
import { updateUse, type SealedRow } from '../store/api-keys.ts'
import { run } from '../store/d1.ts'
import { requireRate } from './rate.ts'
import type { SlotOwner } from './stored-key.ts'

/** What a key's status becomes by what its provider said. */
export const STATUS_BY_VERDICT: Record<Verdict, KeyStatus> = {
  accepted: 'active',
  refused: 'rejected',
  unknown: 'unverified',
}

/**
 * Asks the provider with one cheap request whether the key works, and logs the answer. Probes have a
 * limit of their own, so that a stolen token cannot sort many stolen keys.
 *
 * @throws VaultError `rate_limited`
 */
export async function askProvider(
  { service, userId: user_id, requestId: request_id }: SlotOwner,
  name: string,
  { provider, credential }: { provider: Provider; credential: Credential },
): Promise<Verdict> {
  const { probeLimiter } = service.settings
  if (probeLimiter !== null && provider.probe !== undefined)
    await requireRate(probeLimiter, user_id)
  const trial = await tryKey(provider, credential)
  log('info', 'api_key_tried', { request_id, user_id, provider: name, ...trial })
  return trial.verdict
}

/** Whether a provider is asked about a key before the key is saved. */
export function isChecked(
  { verifyOnSave }: Settings,
  provider: Provider | null,
  verify: boolean | undefined,
): provider is Provider {
  return provider?.probe !== undefined && (verify ?? verifyOnSave)
}

/**
 * The status of a new key by what its provider says.
 *
 * @throws VaultError `rate_limited`, `api_key_rejected`
 */
export async function checkKey(
  owner: SlotOwner,
  name: string,
  asked: { provider: Provider; credential: Credential },
): Promise<KeyStatus> {
  const verdict = await askProvider(owner, name, asked)
  if (verdict !== 'refused') return STATUS_BY_VERDICT[verdict]
  const detail = `${asked.provider.label} does not accept this key. A key that was saved before is unchanged.`
  throw new VaultError('api_key_rejected', { detail })
}

/**
 * Records a use of the key in `row`, and its status after it.
 *
 * @returns when it was used; null if the slot holds another key by now, and nothing was written
 * @throws VaultError `database_busy`
 */
export async function recordUse(
  { db }: Service,
  row: SealedRow,
  status: KeyStatus,
): Promise<string | null> {
  const usedAt = new Date().toISOString()
  const { meta } = await run(db, updateUse(row, { status, usedAt }))
  return meta.changes === 1 ? usedAt : null
}
