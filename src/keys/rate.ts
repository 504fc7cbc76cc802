/** A user's rate, by a limiter of Cloudflare's. */

import { VaultError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import { inTime } from '../shared/deadline.ts'

/** Seconds after which a limit of `[[ratelimits]]` has passed in any case: its longest period. */
const RETRY_AFTER_S = 60
const DEADLINE_MS = 1_000

/**
 * Counts a request of `userId`. If the limiter fails or hangs, the request passes and the fault is
 * logged: the user has a valid token, and being down is worse than being busy.
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
