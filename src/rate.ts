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
  if (limiter !== null && (await isOver(limiter, key)) === true) throw limited(detail)
}

/**
 * As {@link requireRate}, but a limiter that is missing, fails or hangs lets nothing pass: the limit protects users from
 * whoever may see the keys of all of them.
 *
 * @throws VaultError `rate_limited`, `unhealthy`
 */
export async function requireStrictRate(limiter: RateLimit | null, key: string): Promise<void> {
  const over = limiter === null ? null : await isOver(limiter, key)
  if (over === null) {
    const detail = 'The rate limiter did not answer.'
    throw new VaultError('unhealthy', { detail, retryAfter: 5 })
  }
  if (over) throw limited()
}

/** Whether the limit is exceeded; null if the limiter does not say so, which is logged. */
async function isOver(limiter: RateLimit, key: string): Promise<boolean | null> {
  return inTime(ask(limiter, key), DEADLINE_MS).then(
    ({ success }) => !success,
    (error: unknown) => {
      log('error', 'rate_limiter_failed', { error: errorFields(error) })
      return null
    },
  )
}

function limited(detail?: string): VaultError {
  return new VaultError('rate_limited', { detail, retryAfter: LONGEST_PERIOD_S })
}

/** A limiter that throws at once fails like one that rejects. */
async function ask(limiter: RateLimit, key: string): Promise<RateLimitOutcome> {
  return limiter.limit({ key })
}
