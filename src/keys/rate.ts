/** Limits a user's requests with a rate limiter of Cloudflare. */

import { VaultError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import { inTime } from '../shared/deadline.ts'

/** The longest period that `[[ratelimits]]` allows. After it, the limit has passed in any case. */
const RETRY_AFTER_S = 60
const DEADLINE_MS = 1_000

/**
 * Counts a request of `userId`. If the limiter fails or hangs, it logs the fault and lets the request
 * pass: the user has a valid token, and an outage is worse than a missing limit.
 *
 * @throws VaultError `rate_limited`
 */
export async function requireRate(limiter: RateLimit, userId: string): Promise<void> {
  const { success } = await inTime(limiter.limit({ key: userId }), DEADLINE_MS).catch(
    (error: unknown) => {
      log('error', 'rate_limiter_failed', { error: errorFields(error) })
      return { success: true }
    },
  )
  if (!success) throw new VaultError('rate_limited', { retryAfter: RETRY_AFTER_S })
}
