/** A user, the team of the same id, and a user whose id is the text of that team: nothing of one is another's. */

import { inSeconds } from '../../scripts/lib/token.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import type { SealedKey, Slot } from '../../src/crypto/seal.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { listSlots } from '../../src/keys/slots.ts'
import { readUsableKey } from '../../src/keys/take.ts'
import { removeUser } from '../../src/keys/users.ts'
import { teamOwner, userOwner } from '../../src/shared/owner.ts'
import { env } from '../isolate.ts'
import { bindTo } from '../binding/callers.ts'
import {
  call,
  interceptD1,
  mintToken,
  ownerOf,
  PROVIDER,
  recordLogs,
  seenByProvider,
  slotOf,
  someUser,
} from '../support.ts'
import { someKeyOf } from './key-owner.ts'
import { clearRows, insertRows } from './sealed-rows.ts'

const OWNERS = [userOwner('acme'), teamOwner('acme'), userOwner('team:acme')]
const [USER, TEAM] = [userOwner('acme'), teamOwner('acme')]
const keyOf = (owner: string) => `sk-test-0123456789-${owner}`

/** An isolate of its own, which has derived no key yet. */
const freshIsolate = () => ({ ...env })

async function save(userId: string, vault: Env, apiKey = keyOf(userId), provider = 'openai') {
  return saveSlot(await ownerOf(userId, vault), provider, { apiKey, verify: false })
}

/** The key that a use of the slot would send, or the state of the slot. */
async function opened(userId: string, vault: Env, provider = 'openai') {
  const owner = await ownerOf(userId, vault)
  const key = await readUsableKey(owner, slotOf(owner, provider))
  return key.state === 'open' ? key.apiKey : key.state
}

beforeEach(async () => {
  await clearRows()
  for (const owner of OWNERS) await someUser(owner)
})

describe('owners of one id', () => {
  it.for([OWNERS, OWNERS.toReversed()])(
    'the keys of %j, saved in one isolate, open in a fresh one',
    async (owners) => {
      const vault = freshIsolate()
      for (const owner of owners) await save(owner, vault)
      const found = owners.map(async (owner) => opened(owner, freshIsolate()))
      expect(await Promise.all(found)).toEqual(owners.map(keyOf))
    },
  )

  it('says of no owner that another one has the same key', async () => {
    const vault = freshIsolate()
    for (const owner of OWNERS) {
      const saved = await save(owner, vault, 'sk-test-0123456789-same')
      expect(saved.sameIn).toEqual([])
    }
    for (const owner of OWNERS) {
      await save(owner, vault, 'sk-test-0123456789-same', 'acme')
      const slots = await listSlots(await ownerOf(owner, vault))
      const same = slots.flatMap(({ name, sameIn }) => sameIn.map((other) => [name, other]))
      expect(Object.fromEntries(same)).toEqual({ openai: 'acme', acme: 'openai' })
    }
  })

  it.for(OWNERS)('the others keep their keys when %s is removed', async (removed) => {
    const vault = freshIsolate()
    for (const owner of OWNERS) await save(owner, vault)
    const { service } = await ownerOf(removed, vault)
    expect(await removeUser(service, removed)).toBe(true)
    for (const owner of OWNERS.filter((one) => one !== removed)) {
      expect(await opened(owner, vault)).toBe(keyOf(owner))
    }
    await someUser(removed)
    expect(await opened(removed, vault)).toBe('empty')
  })
})

const MODELS = `${PROVIDER}/v1/models`

describe('a user whose id is the text of a team', () => {
  it('uses, reveals and removes no key of the team over a binding', async () => {
    const logs = recordLogs()
    const vault = bindTo({})
    const keys = OWNERS.map((owner) => someKeyOf(`good-${owner.replace(/\W+/g, '-')}`))
    for (const [index, owner] of OWNERS.entries()) await save(owner, env, keys[index])
    const request = new Request(MODELS)
    expect(await vault.fetchWithApiKey('team:acme', 'openai', request)).toMatchObject({ ok: true })
    const seen = keys.map(async (key) => (await seenByProvider(key)).length)
    expect(await Promise.all(seen)).toEqual([0, 0, 1])
    const revealed = await vault.getDecryptedApiKey('team:acme', 'openai')
    expect(revealed).toEqual({ ok: true, apiKey: keys[2] })
    expect(await vault.deleteUser('team:acme')).toEqual({ ok: true, deleted: true })
    expect(await vault.hasUser('team:acme')).toEqual({ ok: true, exists: false })
    expect(await opened(TEAM, env)).toBe(keys[1])
    expect(logs.events().map(({ user_id }) => user_id)).not.toContain('team:acme')
  })
})

/** A vault with teams, whose limiters note the names that they count. */
function teamVault() {
  const names: string[] = []
  const limit = async ({ key }: RateLimitOptions) => {
    names.push(key)
    return { success: true }
  }
  const limiters = ['RATE', 'PROBE', 'EXPORT', 'RELAY', 'SUPPORT'].map((name) => [
    `${name}_LIMITER`,
    { limit },
  ])
  const teams = { JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: 'role=admin' }
  const vault: Env = { ...env, ...teams, ...Object.fromEntries(limiters) }
  return { vault, takeNames: () => new Set(names.splice(0)) }
}

/** The owners by the path of their routes, and the claims of who may do all with their keys. */
const PRINCIPALS = [
  { who: 'the user acme', owner: USER, root: '/api/users/acme', claims: { sub: 'acme' } },
  {
    who: 'an admin of the team acme',
    owner: TEAM,
    root: '/api/teams/acme',
    claims: { sub: 'boss', org_id: 'acme', role: 'admin' },
  },
  {
    who: 'the user team:acme',
    owner: '~team:acme',
    root: '/api/users/team%3Aacme',
    claims: { sub: 'team:acme' },
  },
]

const tokenOf = async (claims: object) =>
  mintToken({ scope: 'relay', client_id: 'notebook', iat: inSeconds(0), ...claims })

describe('the routes of owners of one id', () => {
  it.for(PRINCIPALS)('a request to $root changes the keys of $owner alone', async (one) => {
    const { vault } = teamVault()
    const token = await tokenOf(one.claims)
    const [apiKey, path] = [someKeyOf('good'), `${one.root}/api-keys/openai`]
    for (const owner of OWNERS) await save(owner, vault)
    const query = '?verify=false'
    const saved = await call('PUT', path + query, { token, body: { api_key: apiKey }, env: vault })
    expect(saved.status).toBe(200)
    const after = OWNERS.map(async (owner) => opened(owner, freshIsolate()))
    const expected = OWNERS.map((owner) => (owner === one.owner ? apiKey : keyOf(owner)))
    expect(await Promise.all(after)).toEqual(expected)
    const relayed = await call('GET', '/relay/openai/v1/models', { token, env: vault })
    expect(relayed.headers.get('X-Vault-Key')).toBe(one.owner === TEAM ? 'team' : 'own')
    expect(await seenByProvider(apiKey)).toHaveLength(1)
  })

  it.for(
    PRINCIPALS.flatMap(({ who, claims, owner }) =>
      PRINCIPALS.filter((other) => other.owner !== owner).map(({ root }) => ({
        who,
        claims,
        root,
      })),
    ),
  )('a token of $who gets nothing at $root, before a call of D1', async ({ claims, root }) => {
    const DB = interceptD1(async () => {
      throw new Error('D1 was called')
    })
    const vault = { ...teamVault().vault, DB }
    const token = await tokenOf(claims)
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/openai'],
      ['DELETE', '/openai'],
    ] as const) {
      const answer = await call(method, `${root}/api-keys${path}`, { token, env: vault })
      expect([answer.status, answer.headers.get('X-Vault-Error')]).toEqual([403, 'not_your_own'])
    }
  })

  it('no limiter counts two of them under one name', async () => {
    const { vault, takeNames } = teamVault()
    const support = await mintToken({ client_id: 'flask-app', scope: 'vault:support' })
    const counted: Set<string>[] = []
    for (const { root, claims } of PRINCIPALS) {
      const token = await tokenOf(claims)
      const body = { api_key: someKeyOf('good') }
      await call('PUT', `${root}/api-keys/openai`, { token, body, env: vault })
      await call('GET', `${root}/api-keys`, { token, env: vault })
      await call('GET', `${root}/export`, { token, env: vault })
      await call('GET', `${root}/api-keys`, { token: support, env: vault })
      await call('GET', '/relay/openai/v1/models', { token, env: vault })
      counted.push(takeNames())
    }
    expect(counted).toEqual([
      new Set(['acme', 'server:flask-app acme']),
      new Set(['boss', 'server:flask-app team:acme']),
      new Set(['~team:acme', 'server:flask-app ~team:acme']),
    ])
  })
})

type Row = Slot & SealedKey

/** Writes other rows to D1 in place of those of {@link USER} and {@link TEAM}. */
async function rewrite(swap: (row: Row, other: Row) => Row): Promise<void> {
  const sql = `SELECT user_id AS userId, provider, encrypted_api_key AS sealed, key_id AS kid FROM api_keys
    WHERE user_id IN (?1, ?2) ORDER BY user_id = ?2`
  const { results } = await env.DB.prepare(sql).bind(USER, TEAM).all<Row>()
  const [user, team] = results
  if (user === undefined || team === undefined) throw new Error('A row is missing')
  await env.DB.prepare('DELETE FROM api_keys').run()
  await insertRows([swap(user, team), swap(team, user)])
}

describe('rows that somebody has changed in D1', () => {
  it('rows open if they are written as they were', async () => {
    const vault = freshIsolate()
    for (const owner of [USER, TEAM]) await save(owner, vault)
    await rewrite((row) => row)
    expect([await opened(USER, vault), await opened(TEAM, vault)]).toEqual([USER, TEAM].map(keyOf))
  })

  it.for<[what: string, swap: (row: Row, other: Row) => Row, provider: string]>([
    ['owners', (row, { userId }) => ({ ...row, userId }), 'openai'],
    ['sealed texts', (row, { sealed, kid }) => ({ ...row, sealed, kid }), 'openai'],
    [
      'sealed texts and providers',
      (row, { sealed, kid }) => ({ ...row, sealed, kid, provider: 'acme' }),
      'acme',
    ],
    ['providers', (row) => ({ ...row, provider: 'acme' }), 'acme'],
  ])('no key of a team or its namesake opens with other %s', async ([, swap, provider]) => {
    recordLogs()
    const vault = freshIsolate()
    for (const owner of [USER, TEAM]) await save(owner, vault)
    await rewrite(swap)
    for (const owner of [USER, TEAM]) {
      expect(await opened(owner, vault, provider)).toBe('unreadable')
    }
  })
})
