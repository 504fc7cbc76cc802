/** A team's key from end to end, with the tokens of each issuer: who may save it, and who may use it. */

import { describe, expect, it } from 'vitest'
import { TEAM_HEADER } from '../../src/shared/vault-headers.ts'
import { call, seenByProvider } from '../support.ts'
import { signingKey } from '../tokens/signing-keys.ts'
import { KEY_SET, TEAM_ISSUERS, tokenOf, type TeamIssuer } from '../tokens/team-tokens.ts'
import { serveKeySet } from '../tokens/token-sources.ts'

const KEY = await signingKey('ES256', 'es')

/** A vault for an issuer, and what somebody with one of its tokens sends to it. */
function vaultFor(issuer: TeamIssuer) {
  serveKeySet([KEY.jwk])
  const env = { MANAGE_CLIENTS: '', MANAGE_SCOPE: '', ...KEY_SET, ...issuer.vars }
  const tokenFor = async (who: string, age: number): Promise<string> => {
    const token = issuer.tokens.find(({ of }) => of === who)
    if (token === undefined) throw new Error(`No token of ${who}`)
    return tokenOf(issuer, token, KEY, age)
  }
  const [{ teams, team = teams[0]?.id ?? '' } = { teams: [] }] = issuer.tokens
  const path = `/api/teams/${encodeURIComponent(team)}/api-keys/openai`
  return {
    save: async (who: string, apiKey: string, { age = 0 } = {}) => {
      const token = await tokenFor(who, age)
      return outcomeOf(await call('PUT', path, { token, body: { api_key: apiKey }, env }))
    },
    /** Uses the key, of the team if `named`, and otherwise of the only team of the token. */
    use: async (who: string, { named = false, age = 0 } = {}) => {
      const headers = { ...(named && { [TEAM_HEADER]: encodeURIComponent(team) }) }
      const token = await tokenFor(who, age)
      return outcomeOf(await call('GET', '/relay/openai/v1/models', { token, headers, env }))
    },
  }
}

/** The status, and the code of a refusal or whose key was used. */
const outcomeOf = ({ status, headers }: Response) =>
  [status, headers.get('X-Vault-Error') ?? headers.get('X-Vault-Key')].join(' ').trim()

describe('the tokens of each issuer', () => {
  it.for([...TEAM_ISSUERS])(
    'a team’s key is saved by an admin and used by a member of $name',
    async (issuer) => {
      const vault = vaultFor(issuer)
      const apiKey = `sk-good-${crypto.randomUUID()}`
      expect(await vault.save('a member', apiKey)).toBe('403 not_your_own')
      expect(await vault.save('another team', apiKey)).toBe('403 not_your_own')
      expect(await vault.save('an admin', apiKey)).toBe('200')
      expect(await vault.use('a member')).toBe('200 team')
      expect(await vault.use('an admin', { named: true })).toBe('200 team')
      expect(await vault.use('another team', { named: true })).toBe('403 not_your_own')
      expect(await seenByProvider(apiKey)).toHaveLength(3)
    },
  )

  it.for([...TEAM_ISSUERS])(
    'an old token of $name neither saves nor uses a team’s key',
    async (issuer) => {
      const vault = vaultFor(issuer)
      const apiKey = `sk-good-${crypto.randomUUID()}`
      expect(await vault.save('an admin', apiKey)).toBe('200')
      const age = Number(issuer.vars.TEAM_TOKEN_MAX_AGE_S ?? 3_600) + 60
      expect(await vault.save('an admin', apiKey, { age })).toBe('401 token_expired')
      expect(await vault.use('a member', { age })).toBe('401 token_expired')
    },
  )

  const leftOut = TEAM_ISSUERS.flatMap((issuer) =>
    issuer.tokens.flatMap(({ of, isMissing }) => (isMissing === true ? [{ issuer, of }] : [])),
  )

  it.for(leftOut)('a token of Entra with $of is told that it has no teams', async (row) => {
    const vault = vaultFor(row.issuer)
    expect(await vault.save(row.of, 'sk-good-x')).toBe('403 teams_not_in_token')
    expect(await vault.use(row.of, { named: true })).toBe('403 teams_not_in_token')
    expect(await vault.use(row.of)).toBe('403 teams_not_in_token')
  })
})
