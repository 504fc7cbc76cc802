/** The environment: each variable, secret and binding with its name, its form and its default. */

import * as z from 'zod/mini'
import { keyVariables } from './crypto/keyring.ts'
import type { Deletions } from './deletions.ts'
import { importVariables } from './import/fernet.ts'
import { providerVariables } from './providers/table.ts'
import {
  bindingWith,
  confidentialUrl,
  exactText,
  flag,
  listOf,
  splitList,
  wholeNumber,
  withDefault,
  orNull,
  type Values,
} from './shared/variable.ts'
import { webOrigin } from './shared/web-origin.ts'
import { tokenScope, tokenVariables } from './tokens/token-settings.ts'

const limiter = bindingWith<RateLimit>('limit', 'must be a rate limit binding: see [[ratelimits]]')

/** The limiters. Without an optional one, nothing is limited by it. */
export const limiters = {
  /** Counts the requests of a user. */
  RATE_LIMITER: limiter,
  /** Counts the checks of a user's keys with their providers. */
  PROBE_LIMITER: orNull(limiter),
  /** Counts what an address does without a valid token. */
  ADDRESS_LIMITER: orNull(limiter),
  /** Counts the uses of keys by a caller. */
  CALLER_LIMITER: orNull(limiter),
  /** Counts the exports of a user. */
  EXPORT_LIMITER: orNull(limiter),
  /** Counts the uses of a user's keys over the relay. */
  RELAY_LIMITER: orNull(limiter),
  /** Counts what a server does with a user's keys to support that user. */
  SUPPORT_LIMITER: orNull(limiter),
}

/**
 * A batch of the rewrap job is 4 statements, and D1 allows 1,000 per run. The job takes fewer rows if it moves keys:
 * https://developers.cloudflare.com/d1/platform/limits/
 */
const MAX_ROWS_PER_RUN = 40_000

const rowsPerRun = wholeNumber(
  (text) => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= MAX_ROWS_PER_RUN,
  `must be a number from 1 to ${MAX_ROWS_PER_RUN}`,
)

const days = wholeNumber(
  (text) => /^\d{1,4}$/.test(text),
  'must be a number of days from 0 to 9999',
)

const daysFromOne = wholeNumber(
  (text) => /^[1-9]\d{0,3}$/.test(text),
  'must be a number of days from 1 to 9999',
)

/** After a change, an owner waits at most so long for the last use of the key as it was. */
const MAX_FRESH_SECONDS = 60

const freshSeconds = wholeNumber(
  (text) => /^\d{1,2}$/.test(text) && Number(text) <= MAX_FRESH_SECONDS,
  `must be a number of seconds from 0 to ${MAX_FRESH_SECONDS}`,
)

export const analytics = bindingWith<AnalyticsEngineDataset>(
  'writeDataPoint',
  'must be an Analytics Engine binding: see [[analytics_engine_datasets]]',
)

/** The variables that no other folder parses. */
export const ownVariables = {
  DB: bindingWith<D1Database>('prepare', 'must be a D1 binding: see [[d1_databases]]'),
  /** How many rows a run of the rewrap job handles. The free plan gives it 10 ms of CPU and 50 queries. */
  REWRAP_ROWS_PER_RUN: withDefault(rowsPerRun, 20),
  /** How long an expired key stays, so that its user sees why it is not used. */
  EXPIRED_KEPT_DAYS: withDefault(days, 30),
  /** How long a key is neither used nor checked before the job asks its provider about it. Null for never. */
  RECHECK_AFTER_DAYS: orNull(daysFromOne),
  /** How long the trail keeps an event. */
  EVENTS_KEPT_DAYS: withDefault(days, 90),
  /** Gets the events that an application acts on. */
  EVENTS_QUEUE: orNull(
    bindingWith<Queue>('send', 'must be a queue binding: see [[queues.producers]]'),
  ),
  /** Gets the counts of what the vault does. */
  ANALYTICS: orNull(analytics),
  /** Whether the first save adds a user who has a valid token. */
  AUTO_CREATE_USERS: withDefault(flag, false),
  /** Whether the provider checks a key before the vault saves it. */
  VERIFY_ON_SAVE: withDefault(flag, true),
  /** Whether a team's key is taken before the user's own. */
  TEAM_FIRST: withDefault(flag, false),
  /** How long an isolate uses a key that it has read, without asking D1 again. */
  USE_FRESH_SECONDS: withDefault(freshSeconds, 0),
}

/** The second store, which remembers deleted keys. */
const deletionsVariables = {
  DELETIONS: orNull(
    bindingWith<DurableObjectNamespace<Deletions>>(
      'getByName',
      'must be a Durable Object binding: see [[durable_objects.bindings]]',
    ),
  ),
  /** Where it runs and stores: https://developers.cloudflare.com/durable-objects/reference/data-location/ */
  DELETIONS_JURISDICTION: orNull(
    z.enum(['eu', 'us', 'fedramp'], 'must be "eu", "us" or "fedramp"'),
  ),
}

const relayVariables = {
  /** The scope that a token must have. Without it the relay is off. */
  RELAY_SCOPE: orNull(tokenScope),
  /** The providers, and single slots, that the relay reaches; null for all of them. */
  RELAY_PROVIDERS: orNull(listOf(z.string(), 'must be a string: openai,anthropic:work')),
}

/** `openid` among the scopes, separated by one space (OpenID Connect Core 1.0 §3.1.2.1). */
const scopes = z.string('must be a string').check(
  z.regex(/^[!-~]+(?: [!-~]+)*$/, 'must be scopes separated by single spaces'),
  z.refine((text) => text.split(' ').includes('openid'), 'must contain openid'),
)

/** How the page signs users in with the identity provider (OpenID Connect). */
const signInVariables = {
  OIDC_ISSUER: orNull(confidentialUrl),
  OIDC_CLIENT_ID: orNull(exactText),
  OIDC_SCOPE: withDefault(scopes, 'openid'),
  /** Null if the identity provider needs no audience. */
  OIDC_AUDIENCE: orNull(exactText),
}

/** `false` is nobody, `true` is everybody, and a list is its callers. */
const revealers = z.pipe(
  z
    .string('must be a string')
    .check(z.regex(/^[\w.,\s-]+$/, 'must be "true", "false" or names of callers')),
  z.transform((text): 'all' | readonly string[] => {
    if (text === 'true') return 'all'
    return text === 'false' ? [] : splitList(text)
  }),
)

const corsOrigins = listOf(
  webOrigin,
  'must be a string: https://a.example.com,https://b.example.com',
)

/** The keys of another program. The vault opens the rows that it sealed. */
export const foreignVariables = { ...importVariables }

/** Every variable, secret and binding, by its name. What is set must have its form. */
export const environment = {
  ...ownVariables,
  ...deletionsVariables,
  ...limiters,
  ...keyVariables,
  ...foreignVariables,
  ...tokenVariables,
  ...relayVariables,
  /** The callers that may have the grant `reveal`. */
  ALLOW_REVEAL: withDefault(revealers, []),
  ...providerVariables,
  CORS_ORIGINS: withDefault(corsOrigins, []),
  ...signInVariables,
}

export type Environment = Values<typeof environment>
