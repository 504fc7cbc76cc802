/** The teams that a token's claims name, and the claims that refuse it. */

import { describe, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import type { VaultError } from '../../src/errors.ts'
import type { VerifyToken } from '../../src/tokens/access-token.ts'
import { isStale, type TeamClaim, type TokenTeams } from '../../src/tokens/team-claims.ts'
import { HS256, SECRET, sign, signJson } from './signed-tokens.ts'
import { signingKey } from './signing-keys.ts'
import { KEY_SET, TEAM_ISSUERS, tokenOf } from './team-tokens.ts'
import { serveKeySet, vaultOf } from './token-sources.ts'

const KEY = await signingKey('ES256', 'es')

const org = { JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: 'role=admin' }
const groups = { JWT_TEAM_CLAIM: 'groups', JWT_TEAM_ADMIN_CLAIM: 'admin_of' }
const both = { ...groups, JWT_TEAM_ADMIN: 'role=admin' }
const path = { JWT_TEAM_CLAIM: 'o.id', JWT_TEAM_ADMIN: 'o.rol=admin' }
const url = {
  JWT_TEAM_CLAIM: 'https://app.test/team',
  JWT_TEAM_ADMIN: 'https://app.test/roles=a b',
}

const member = (...ids: string[]): TeamClaim[] => ids.map((id) => ({ id, isAdmin: false }))
const admin = (...ids: string[]): TeamClaim[] => ids.map((id) => ({ id, isAdmin: true }))

const verifiers = new Map<object, VerifyToken>()

/** A verifier whose tokens are those of the shared secret, once for each `vars`. */
function verifierOf(vars: object): VerifyToken {
  const verify = verifiers.get(vars) ?? vaultOf({ JWT_SECRET_KEY: SECRET, ...vars })
  verifiers.set(vars, verify)
  return verify
}

async function teamsIn(vars: object, claims: object): Promise<TokenTeams> {
  const token = await sign(HS256, { sub: 'jane', exp: inSeconds(600), ...claims })
  const { teams } = await verifierOf(vars)(token)
  return teams
}

const detailIn = async (vars: object, claims: object): Promise<unknown> =>
  teamsIn(vars, claims).catch(({ code, detail }: VaultError) => `${code}: ${detail}`)

describe('the teams of a token', () => {
  it.for<[vars: object, claims: object, teams: TeamClaim[]]>([
    [{}, { org_id: 'acme', groups: ['acme'] }, []],
    [org, {}, []],
    [org, { org_id: null }, []],
    [org, { org_id: '' }, []],
    [org, { org_id: 7 }, []],
    [org, { org_id: 0 }, []],
    [org, { org_id: true }, []],
    [org, { org_id: { id: 'acme' } }, []],
    [org, { org_id: 'acme' }, member('acme')],
    [org, { org_id: 'acme,other' }, member('acme,other')],
    [org, { org_id: 'acme other' }, member('acme other')],
    [org, { org_id: ' ' }, member(' ')],
    [org, { org_id: 'team:acme' }, member('team:acme')],
    [org, { org_id: '__proto__' }, member('__proto__')],
    [org, { org_id: '日本/株式会社' }, member('日本/株式会社')],
    [org, { org_id: 'acme', role: 'admin' }, admin('acme')],
    [org, { org_id: 'acme', role: ['member', 'admin'] }, admin('acme')],
    [org, { org_id: 'acme', role: 'Admin' }, member('acme')],
    [org, { org_id: 'acme', role: 'admin ' }, member('acme')],
    [org, { org_id: 'acme', role: 'admin,member' }, member('acme')],
    [org, { org_id: 'acme', role: ['administrator', 'org:admin'] }, member('acme')],
    [org, { org_id: 'acme', role: [] }, member('acme')],
    [org, { org_id: 'acme', role: true }, member('acme')],
    [org, { org_id: 'acme', role: { admin: true } }, member('acme')],
    [org, { org_id: 'acme', role: '' }, member('acme')],
    [org, { role: 'admin' }, []],
    [org, { org_id: 7, role: 'admin' }, []],
    [{ ...org, JWT_TEAM_ADMIN: 'level=1' }, { org_id: 'acme', level: 1 }, member('acme')],
    [{ ...org, JWT_TEAM_ADMIN: 'owner=true' }, { org_id: 'acme', owner: true }, member('acme')],
    [{ JWT_TEAM_CLAIM: 'org_id' }, { org_id: 'acme', role: 'admin' }, member('acme')],
    [groups, { groups: [] }, []],
    [groups, { groups: ['acme'] }, member('acme')],
    [groups, { groups: ['acme', 'other', 'acme'] }, member('acme', 'other')],
    [groups, { groups: ['a', 'b'], admin_of: ['b', 'c'] }, [...member('a'), ...admin('b')]],
    [groups, { groups: ['a', 'b'], admin_of: 'b' }, [...member('a'), ...admin('b')]],
    [groups, { groups: ['a', 'b'], admin_of: 'a,b' }, member('a', 'b')],
    [groups, { groups: ['a'], admin_of: ['A'] }, member('a')],
    [groups, { groups: ['a'], admin_of: true }, member('a')],
    [groups, { groups: ['1'], admin_of: 1 }, member('1')],
    [groups, { groups: ['a'], admin_of: { a: true } }, member('a')],
    [groups, { groups: ['a'], admin_of: '' }, member('a')],
    [groups, { admin_of: ['a'] }, []],
    [groups, { groups: 'a', admin_of: ['a'] }, member('a')],
    [both, { groups: ['a'], role: 'admin' }, member('a')],
    [
      both,
      { groups: ['a', 'b'], role: ['admin'], admin_of: ['b'] },
      [...member('a'), ...admin('b')],
    ],
    [both, { groups: 'a', role: 'admin' }, admin('a')],
    [org, { org_id: ['acme'], role: 'admin' }, member('acme')],
    [path, { o: { id: 'acme', rol: 'admin' } }, admin('acme')],
    [path, { o: { id: 'acme', rol: 'member' } }, member('acme')],
    [path, { 'o.id': 'acme', 'o.rol': 'admin', o: { id: 'other' } }, admin('acme')],
    [path, { 'o.id': null, o: { id: 'other' } }, []],
    [path, { o: 'acme' }, []],
    [path, { o: ['acme'] }, []],
    [path, { o: [{ id: 'acme' }] }, []],
    [path, { o: { id: null } }, []],
    [path, { id: 'acme' }, []],
    [url, { 'https://app.test/team': 'acme', 'https://app.test/roles': ['a b'] }, admin('acme')],
    [{ JWT_TEAM_CLAIM: 'constructor.name' }, {}, []],
    [{ JWT_TEAM_CLAIM: 'o.constructor.name' }, { o: {} }, []],
    [{ JWT_TEAM_CLAIM: '__proto__' }, {}, []],
    [{ JWT_TEAM_CLAIM: 'sub.constructor.name' }, {}, []],
    [{ JWT_TEAM_CLAIM: 'groups.length' }, { groups: ['a'] }, []],
    [{ JWT_TEAM_CLAIM: 'groups.0' }, { groups: ['a'] }, []],
  ])('reads with %j, of %j, the teams %j', async ([vars, claims, teams]) => {
    expect(await teamsIn(vars, claims)).toEqual({ teams, isMissing: false, issuedAt: null })
  })
})

describe('a token with an item that is not the id of a team', () => {
  const LONG = 'x'.repeat(2_001)

  it.for<[vars: object, claims: object, detail: string]>([
    ...[7, null, true, {}, ['a']].map((item): [object, object, string] => [
      groups,
      { groups: ['a', item] },
      'An item of its "groups" is not a string.',
    ]),
    [groups, { groups: ['a', ''] }, 'An item of its "groups" is empty.'],
    [groups, { groups: [LONG] }, 'An item of its "groups" is over 2,000 characters.'],
    [
      groups,
      { groups: ['..'] },
      'An item of its "groups" is "." or "..", which cannot be in a URL.',
    ],
    [groups, { groups: ['a\ud800'] }, 'An item of its "groups" is not well-formed Unicode.'],
    [groups, { groups: ['a'], admin_of: ['a', 7] }, 'An item of its "admin_of" is not a string.'],
    [groups, { admin_of: [''] }, 'An item of its "admin_of" is empty.'],
    [groups, { groups: ['a'], admin_of: '\ud800' }, 'Its "admin_of" is not well-formed Unicode.'],
    [org, { org_id: [null] }, 'An item of its "org_id" is not a string.'],
    [org, { org_id: LONG }, 'Its "org_id" is over 2,000 characters.'],
    [org, { org_id: '.' }, 'Its "org_id" is "." or "..", which cannot be in a URL.'],
    [org, { org_id: 'acme', role: ['admin', 7] }, 'An item of its "role" is not a string.'],
    [org, { org_id: 'acme', role: ['admin', ''] }, 'An item of its "role" is empty.'],
    [org, { role: [{}] }, 'An item of its "role" is not a string.'],
    [path, { o: { id: ['a', 1] } }, 'An item of its "o.id" is not a string.'],
  ])('refuses with %j the claims %j', async ([vars, claims, detail]) => {
    expect(await detailIn(vars, claims)).toBe(`token_invalid: ${detail}`)
  })

  it('refuses a server’s token too', async () => {
    const servers = { MANAGE_CLIENTS: 'flask-app', MANAGE_SCOPE: 'vault' }
    const claims = { sub: undefined, client_id: 'flask-app', scope: 'vault:users', groups: [7] }
    const detail = 'token_invalid: An item of its "groups" is not a string.'
    expect(await detailIn({ ...groups, ...servers }, claims)).toBe(detail)
  })
})

describe('a token whose issuer left out the teams', () => {
  it.for<[vars: object, claims: object, isMissing: boolean]>([
    [groups, { _claim_names: { groups: 'src1' }, _claim_sources: { src1: {} } }, true],
    [groups, { _claim_names: { groups: 'src1' }, groups: null }, true],
    [groups, { _claim_names: { groups: 'src1' }, groups: ['a'] }, false],
    [groups, { _claim_names: { groups: 'src1' }, groups: [] }, false],
    [groups, { _claim_names: { roles: 'src1' } }, false],
    [groups, { _claim_names: ['groups'] }, false],
    [groups, { _claim_names: 'groups' }, false],
    [groups, { _claim_names: null }, false],
    [path, { _claim_names: { o: 'src1' } }, true],
    [path, { _claim_names: { 'o.id': 'src1' } }, true],
    [{ JWT_TEAM_CLAIM: 'org.id' }, { _claim_names: { org: 'src1' } }, true],
    [{ JWT_TEAM_CLAIM: 'org.id' }, { _claim_names: { o: 'src1' } }, false],
    [path, { _claim_names: { id: 'src1' } }, false],
    [{ JWT_TEAM_CLAIM: 'constructor' }, { _claim_names: {} }, false],
    [groups, { hasgroups: true }, true],
    [groups, { hasgroups: true, groups: ['a'] }, false],
    [groups, { hasgroups: false }, false],
    [groups, { hasgroups: 'true' }, false],
    [org, { hasgroups: true }, false],
    [{}, { _claim_names: { groups: 'src1' }, hasgroups: true }, false],
  ])(
    'says with %j, of %j, whether the teams are missing: %j',
    async ([vars, claims, isMissing]) => {
      expect(await teamsIn(vars, claims)).toMatchObject({ isMissing })
    },
  )

  it('finds no claim in the prototype that its JSON names', async () => {
    const json = `{"sub":"jane","exp":${inSeconds(600)},"__proto__":{"groups":["a"],"hasgroups":true}}`
    const { teams } = await verifierOf(groups)(await signJson(HS256, json))
    expect(teams).toEqual({ teams: [], isMissing: false, issuedAt: null })
  })
})

describe('the tokens of issuers', () => {
  it.for([...TEAM_ISSUERS])('reads the teams of each token of $name', async (issuer) => {
    serveKeySet([KEY.jwk])
    const verify = vaultOf({ ...KEY_SET, ...issuer.vars })
    for (const token of issuer.tokens) {
      const { teams } = await verify(await tokenOf(issuer, token, KEY))
      expect([token.of, teams]).toEqual([
        token.of,
        { teams: token.teams, isMissing: token.isMissing ?? false, issuedAt: expect.any(Number) },
      ])
    }
  })
})

it('a server’s token without a user has no teams', async () => {
  const servers = { MANAGE_CLIENTS: 'flask-app', MANAGE_SCOPE: 'vault' }
  const claims = { exp: inSeconds(600), client_id: 'flask-app', scope: 'vault:users' }
  const token = await verifierOf({ ...groups, ...servers })(await sign(HS256, claims))
  expect(token).toMatchObject({ userId: null, grants: ['users'], teams: { teams: [] } })
})

it('a token that is known still says when it was issued', async () => {
  const verify = verifierOf(org)
  const claims = { sub: 'jane', exp: inSeconds(600), iat: 1_700_000_000, org_id: 'acme' }
  const token = await sign(HS256, claims)
  const first = await verify(token)
  expect(first.teams).toEqual({ teams: member('acme'), isMissing: false, issuedAt: claims.iat })
  expect(await verify(token)).toBe(first)
})

it.for<[issuedAt: number | null, stale: boolean]>([
  [null, true],
  [1_000, false],
  [1_000 - 3_600, false],
  [1_000 - 3_600.5, true],
  [1_000 - 3_601, true],
  [-1e9, true],
  [1_000 + 30, false],
  [1_000 + 30.5, true],
  [1e9, true],
])('a token of the second %j is stale after the second 1000: %j', ([issuedAt, stale]) => {
  expect(isStale({ issuedAt }, 3_600, 1_000_000)).toBe(stale)
})
