/** Counts what the vault does, in Workers Analytics Engine. Nothing is counted without a dataset. */

import { errorFields, log } from './log.ts'
import { splitSlot } from './shared/slot.ts'

/**
 * One data point. It has no id of an owner and no label, because the dataset is for sums. What concerns one owner is in the
 * trail.
 */
export interface Count {
  event: 'request' | 'binding_call' | 'api_key_unreadable'
  /** `METHOD route`, or the method of the binding. */
  operation: string
  /** Why it was refused, or why a key is unreadable; null if the vault did the work. */
  code: string | null
  caller?: string | null | undefined
  /** The slot. Its provider is counted, because owners choose the label. */
  provider?: string | null | undefined
  /** The status of an HTTP answer. */
  status?: number
  /** What the provider answered to a use. */
  provider_status?: number | undefined
  /** Whose key was used, and what its provider's answer says of it. */
  key_source?: string | null
  condition?: string | null
  duration_ms?: number
}

/**
 * Writes a data point: `index1` code, condition or operation; `blob1` to `blob7` event, operation, code, caller, provider,
 * source of the key and condition; `double1` to `double3` status, the provider's status and milliseconds. What is missing is
 * empty or 0. Analytics Engine samples each index for itself, so that a rare one is not lost beside many others.
 * It never throws: it logs `not_counted`.
 *
 * https://developers.cloudflare.com/analytics/analytics-engine/limits/
 */
export function count(dataset: AnalyticsEngineDataset | null, counted: Count): void {
  if (dataset === null) return
  const { event, operation, code, caller = null, provider: slot = null } = counted
  const provider = slot && splitSlot(slot).provider
  const { key_source = null, condition = null } = counted
  const { status = 0, provider_status = 0, duration_ms = 0 } = counted
  try {
    dataset.writeDataPoint({
      indexes: [code ?? condition ?? operation],
      blobs: [event, operation, code, caller, provider, key_source, condition],
      doubles: [status, provider_status, duration_ms],
    })
  } catch (error) {
    log('error', 'not_counted', { error: errorFields(error) })
  }
}
