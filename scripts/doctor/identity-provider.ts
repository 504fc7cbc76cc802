/** Checks the identity provider as the Worker uses it: its keys, and the page's sign-in. */

import { fetchTokenEndpoint } from '../../src/http/token-endpoint.ts'
import type { Settings } from '../../src/settings.ts'
import { fetchKeys } from '../../src/tokens/fetched-keys.ts'
import { openPublicKeys, type DroppedKey } from '../../src/tokens/public-key.ts'
import type { TokenSource } from '../../src/tokens/token-settings.ts'
import { CONFIG } from '../lib/wrangler.ts'
import { failed, ok, skipped, wrong, type Outcome } from './finding.ts'

/** Whether the keys that verify tokens can be used. */
export async function checkTokenKeys({ tokenSources }: Settings): Promise<Outcome> {
  const checked = await Promise.all(tokenSources.map(checkSource))
  const outcomes = checked.filter((outcome) => outcome !== null)
  const bad = outcomes.find(({ state }) => state === 'wrong')
  if (bad !== undefined) return bad
  if (outcomes.length === 0) return skipped('JWT_SECRET_KEY alone verifies tokens.')
  return ok(outcomes.map(({ why }) => why).join(' '))
}

async function checkSource(source: TokenSource): Promise<Outcome | null> {
  if (source.kind === 'secret') return null
  if (source.kind === 'public_keys') {
    return openPublicKeys(source.keys).then(
      () => ok('JWT_PUBLIC_KEY can be used.'),
      (error: unknown) => failed(error),
    )
  }
  const dropped: DroppedKey[] = []
  const fix = `Open JWT_JWKS_URL in a browser: it must be the jwks_uri of the issuer. It is set in ${CONFIG}.`
  try {
    const usable = await fetchKeys(source.url, (others) => dropped.push(...others))
    const unused = dropped.map(({ kid, index, reason }) => `${kid ?? index} (${reason})`)
    const keys = usable.length === 1 ? '1 key that verifies' : `${usable.length} keys that verify`
    const count = `${source.url.host} has ${keys} tokens.`
    return dropped.length === 0 ? ok(count) : wrong(`${count} Not used: ${unused.join(', ')}`)
  } catch (error) {
    return failedAt(source.url.href, error, fix)
  }
}

/** Whether the page can sign users in. */
export async function checkSignIn({ signIn }: Settings): Promise<Outcome> {
  if (signIn === null) return skipped('OIDC_ISSUER is not set: the page signs nobody in.')
  const { issuer } = signIn
  const fix = `OIDC_ISSUER must be the issuer exactly as its metadata names it. It is set in ${CONFIG}.`
  return fetchTokenEndpoint(issuer).then(
    (endpoint) => ok(`The page gets tokens from ${new URL(endpoint).host}.`),
    (error: unknown) => failedAt(issuer, error, fix),
  )
}

/** The Worker's own sentence, or what fetch says of the URL. */
function failedAt(url: string, error: unknown, fix: string): Outcome {
  const { why } = failed(error)
  return wrong(/JWT_JWKS_URL|OIDC_ISSUER/.test(why) ? why : `${url}: ${why}`, fix)
}
