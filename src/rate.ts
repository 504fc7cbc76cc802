/** Limits requests with the rate limiters of Cloudflare. */

import { VaultError } from './errors.ts'
import { errorFields, log } from './log.ts'
import { inTime } from './shared/deadline.ts'

/** The longest period that `[[ratelimits]]` allows. After it, the limit has passed in any case. */
const LONGEST_PERIOD_S = 60
const DEADLINE_MS = 1_000

/**
 * Counts a request under `key`; null means that nothing is limited. If the limiter fails or hangs, it logs the
 * fault and lets the request pass: an outage is worse than a missing limit.
 *
 * @throws VaultError `rate_limited`, with `detail`
 */
export async function requireRate(
  limiter: RateLimit | null,
  key: string,
  detail?: string,
): Promise<void> {
  if (limiter === null) return
  const { success } = await inTime(ask(limiter, key), DEADLINE_MS).catch((error: unknown) => {
    log('error', 'rate_limiter_failed', { error: errorFields(error) })
    return { success: true }
  })
  if (!success) throw new VaultError('rate_limited', { detail, retryAfter: LONGEST_PERIOD_S })
}

/** A limiter that throws at once fails like one that rejects. */
async function ask(limiter: RateLimit, key: string): Promise<RateLimitOutcome> {
  return limiter.limit({ key })
}
