/** Who may reach the keys in a path: only the user of the token, by the exact id, within the rate limit. */

import { describe, expect, it } from 'vitest'
import {
  call,
  keyPath,
  mintToken,
  putKey,
  someKey,
  someUser,
  storedKey,
  URL_BASE,
  tightLimiter,
} from '../support.ts'

/** The status of GET and PUT at exactly this path, with a token for `sub`. */
async function statuses(sub: string, segment: string): Promise<number[]> {
  const token = await mintToken({ sub })
  const path = `/api/users/${segment}/api-key`
  const get = await call('GET', path, { token })
  const put = await call('PUT', path, { token, body: { api_key: 'sk-stolen' } })
  return [get.status, put.status]
}

it.for<[userId: string, segment: string]>([
  ['auth0|abc', 'auth0%7Cabc'],
  ['auth0|pipe', 'auth0|pipe'],
  ['a@b.c', 'a@b.c'],
  ['with space', 'with%20space'],
  ['%41', '%2541'],
  ['A', '%41'],
  ['one/slash', 'one%2Fslash'],
  ['two%2Fslash', 'two%252Fslash'],
  ['plus+plus', 'plus+plus'],
  ['...', '...'],
  ["' OR '1'='1", "'%20OR%20'1'='1"],
  ['"; DROP TABLE users; --', '%22;%20DROP%20TABLE%20users;%20--'],
  ['n\u0000ul', 'n%00ul'],
  ['caf\u00E9', 'caf%C3%A9'],
  ['cafe\u0301', 'cafe%CC%81'],
  ['😀', '%F0%9F%98%80'],
  ['日本', '日本'],
])('lets the token of %j through to its own keys', async ([userId, segment]) => {
  await someUser(userId)
  const options = { token: await mintToken({ sub: userId }), body: { api_key: 'sk-own' } }
  expect((await call('PUT', `/api/users/${segment}/api-key`, options)).status).toBe(200)
  expect(await storedKey(userId)).toBe('sk-own')
})

it('lets the token of an id of 2,000 characters through to its own keys', async () => {
  const userId = await someUser('x'.repeat(2_000))
  expect(await statuses(userId, userId)).toEqual([200, 200])
  expect(await storedKey(userId)).toBe('sk-stolen')
})

it.for<[sub: string, segment: string, difference: string]>([
  ['A', 'a', 'another case'],
  ['%41', '%41', 'decoded once, and it is A'],
  ['A', '%2541', 'decoded once, and it is %41'],
  ['one/slash', 'one%252Fslash', 'double encoding'],
  ['caf\u00E9', 'cafe%CC%81', 'NFD for NFC'],
  ['cafe\u0301', 'caf%C3%A9', 'NFC for NFD'],
  ['a@b.c', 'a@b.c%20', 'a trailing space'],
  ['a@b.c', 'a@b.c%00', 'a trailing NUL'],
  ['a@b.c', '%EF%BB%BFa@b.c', 'a BOM'],
  ['plus plus', 'plus+plus', 'a plus for a space'],
  ['\uFFFD', '%FF', 'bytes that are not UTF-8'],
])('refuses the token of %j at the path of %s: %s', async ([sub, segment]) => {
  expect(await statuses(sub, segment)).toEqual([403, 403])
})

it.for(['..', '%2e%2e', 'a/b'])(
  'answers 404 at the path of %s, which is not a user id',
  async (path) => {
    const [get] = await statuses('admin', path)
    expect(get).toBe(404)
  },
)

it.for(['.', '%2e%2e%2fadmin/..'])(
  'answers 403 at the path of %s, which means the user api-key',
  async (path) => {
    expect(await statuses('admin', path)).toEqual([403, 403])
  },
)

it('keeps the other user’s key if it refuses a token', async () => {
  const [owner, apiKey] = [await someUser(), someKey()]
  await putKey(owner, apiKey)
  expect(await statuses(await someUser(), encodeURIComponent(owner))).toEqual([403, 403])
  expect(await storedKey(owner)).toBe(apiKey)
})

/** A save of a key, and what is in its request. */
interface Save {
  path: string
  token: string | undefined
  slot: string
  verify: string
  body?: string
  match?: string
  type?: string
  rate?: RateLimit
  probe?: RateLimit
}

const REFUSING: RateLimit = { limit: async () => ({ success: false }) }

/** What may be wrong with a save, in the order of the checks. */
function faultsOf(good: Save, absent: Pick<Save, 'path' | 'token'>): [string, Partial<Save>][] {
  return [
    ['token_missing', { token: undefined }],
    ['not_your_own', { path: 'somebody-else', token: good.token }],
    ['rate_limited', { rate: REFUSING }],
    ['invalid_query', { verify: 'perhaps' }],
    ['body_too_large', { body: 'x'.repeat(20_000) }],
    ['content_type_not_json', { body: 'not json', type: 'text/plain' }],
    ['invalid_json', { body: 'not json', type: 'application/json' }],
    ['api_key_missing', { body: '{}' }],
    ['invalid_precondition', { match: 'no tag' }],
    ['unknown_provider', { slot: 'unknown' }],
    ['base_url_invalid', { body: '{"api_key":"sk-bad","base_url":"https://a.test"}' }],
    ['user_not_found', absent],
    ['changed_meanwhile', { match: '"0.1"' }],
    ['rate_limited', { probe: REFUSING }],
    ['api_key_rejected', { body: '{"api_key":"sk-bad"}' }],
  ]
}

/** Sends the save, and returns the code of the answer. */
async function trySave({ path, slot, verify, token, body, match, type, rate, probe }: Save) {
  const response = await call('PUT', `/api/users/${path}/api-keys/${slot}?verify=${verify}`, {
    token,
    body,
    headers: { ...(match && { 'If-Match': match }), ...(type && { 'Content-Type': type }) },
    env: { ...(rate && { RATE_LIMITER: rate }), ...(probe && { PROBE_LIMITER: probe }) },
  })
  return response.headers.get('X-Vault-Error')
}

describe('the refusals', () => {
  it.for<[method: string, verb: string]>([
    ['PUT', 'update'],
    ['GET', 'access'],
    ['DELETE', 'delete'],
  ])(
    'refuses a %s as unauthorized to %s another user’s key, whether or not the user exists',
    async ([method, verb]) => {
      const token = await mintToken({ sub: 'somebody' })
      for (const userId of [await someUser(), 'nobody-at-all']) {
        const response = await call(method, keyPath(userId), { token })
        expect(response.status).toBe(403)
        expect(await response.json()).toEqual({
          error: `Unauthorized to ${verb} this user's API key`,
          code: 'not_your_own',
          request_id: response.headers.get('X-Request-Id'),
        })
      }
    },
  )

  it('refuses a save for the first check that fails, in the order of docs/api.md', async () => {
    const [userId, absent] = [await someUser(), `absent-${crypto.randomUUID()}`]
    const token = await mintToken({ sub: userId })
    const good = { path: userId, token, slot: 'openai', verify: 'true' }
    const faults = faultsOf(good, { path: absent, token: await mintToken({ sub: absent }) })
    const codes = await Promise.all(
      faults.map(async (_fault, index) => {
        const left = faults.slice(index).map(([, fault]) => fault)
        return trySave(Object.assign({}, good, ...left.toReversed()))
      }),
    )
    expect(codes).toEqual(faults.map(([code]) => code))
  })

  it('refuses a deletion for the user and for the precondition before the provider', async () => {
    const [userId, absent] = [await someUser(), `absent-${crypto.randomUUID()}`]
    const remove = async (sub: string, headers = {}) => {
      const options = { token: await mintToken({ sub }), headers }
      const response = await call('DELETE', `/api/users/${sub}/api-keys/unknown`, options)
      return response.headers.get('X-Vault-Error')
    }
    expect(await remove(absent, { 'If-Match': '*' })).toBe('user_not_found')
    expect(await remove(userId, { 'If-Match': '*' })).toBe('changed_meanwhile')
    expect(await remove(userId)).toBe('unknown_provider')
  })

  it('counts a request against the rate of its user before it reads the body', async () => {
    const owner = await someUser()
    const limited = {
      token: await mintToken({ sub: owner }),
      env: { RATE_LIMITER: tightLimiter() },
    }
    const seen: number[] = []
    for (let request = 0; request < 3; request += 1) {
      // oxlint-disable-next-line no-await-in-loop -- the third is one too many
      const { status } = await call('PUT', keyPath(owner), { body: 'not json', ...limited })
      seen.push(status)
    }
    expect(seen).toEqual([400, 400, 429])
  })

  it('limits each user separately, and says when to try again', async () => {
    const limiter = { RATE_LIMITER: tightLimiter() }
    const [one, other] = [await someUser(), await someUser()]
    const get = async (sub: string) =>
      call('GET', keyPath(sub), { token: await mintToken({ sub }), env: limiter })
    await get(one)
    await get(one)
    const limited = await get(one)
    expect(limited.status).toBe(429)
    expect(limited.headers.get('Retry-After')).toBe('60')
    expect(await limited.json()).toMatchObject({ code: 'rate_limited' })
    expect((await get(other)).status).toBe(200)
  })
})

describe('JWT_HEADER_NAME', () => {
  const NAME = 'Cf-Access-Jwt-Assertion'
  const vault = { JWT_HEADER_NAME: NAME, CORS_ORIGINS: 'https://app.test' }

  it.for<[name: string, sent: (token: string) => Record<string, string>, detail: string | null]>([
    ['the token alone', (token) => ({ [NAME]: token }), null],
    ['the token after Bearer', (token) => ({ [NAME]: `Bearer ${token}` }), null],
    [
      'the token, and another one in Authorization',
      (token) => ({ [NAME]: token, Authorization: 'Bearer x' }),
      null,
    ],
    [
      'no such header, but Authorization',
      (token) => ({ Authorization: `Bearer ${token}` }),
      `The ${NAME} header is missing.`,
    ],
    [
      'another scheme',
      (token) => ({ [NAME]: `Basic ${token}` }),
      `The ${NAME} header must be the token, or "Bearer", a space and the token.`,
    ],
  ])('reads a request that has in the named header %s', async ([, sent, detail]) => {
    const userId = await someUser()
    const headers = sent(await mintToken({ sub: userId }))
    const response = await call('GET', keyPath(userId), { headers, env: vault })
    const challenge = response.headers.get('WWW-Authenticate')
    const { detail: told = null } = await response.json<{ detail?: string }>()
    expect([response.status, challenge, told]).toEqual(
      detail === null ? [200, null, null] : [401, 'Bearer', detail],
    )
  })

  it.for<[name: string, headers: Record<string, string>, status: number]>([
    ['no page', {}, 200],
    ['the own origin', { Origin: URL_BASE }, 200],
    ['an origin that is listed', { Origin: 'https://app.test' }, 200],
    ['the own origin, without naming it', { 'Sec-Fetch-Site': 'same-origin' }, 200],
    ['nobody but the user', { 'Sec-Fetch-Site': 'none' }, 200],
    [
      'a listed origin of another site',
      { Origin: 'https://app.test', 'Sec-Fetch-Site': 'cross-site' },
      200,
    ],
    ['another origin', { Origin: 'https://evil.test' }, 401],
    [
      'another origin that says otherwise',
      { Origin: 'https://evil.test', 'Sec-Fetch-Site': 'same-origin' },
      401,
    ],
    ['the own host over http', { Origin: URL_BASE.replace('https', 'http') }, 401],
    ['an opaque origin', { Origin: 'null' }, 401],
    ['another site, without naming it', { 'Sec-Fetch-Site': 'cross-site' }, 401],
    ['another subdomain, without naming it', { 'Sec-Fetch-Site': 'same-site' }, 401],
  ])(
    'takes the token that a proxy added to a request of %s, or not',
    async ([, headers, status]) => {
      const userId = await someUser()
      const token = await mintToken({ sub: userId })
      for (const method of ['GET', 'DELETE']) {
        const sent = { ...headers, [NAME]: token }
        const response = await call(method, keyPath(userId), { headers: sent, env: vault })
        expect([method, response.status]).toEqual([method, status])
      }
    },
  )

  it('leaves a token in Authorization alone, whatever page sends it', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const headers = { Origin: 'https://evil.test' }
    expect((await call('GET', keyPath(userId), { token, headers })).status).toBe(200)
  })
})
