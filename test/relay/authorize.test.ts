import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import {
  call,
  interceptD1,
  mintToken,
  recordLogs,
  someKey,
  someKeyUser,
  someUser,
} from '../support.ts'

const PATH = '/relay/openai/v1/models'

describe('the scope of the relay', () => {
  it.for<[name: string, claims: Record<string, unknown>, code: string]>([
    ['scope', { scope: 'relay' }, 'no_api_key'],
    ['one scope of several', { scope: 'openid relay' }, 'no_api_key'],
    ['scp as a string', { scp: 'openid relay' }, 'no_api_key'],
    ['scp as a list', { scp: ['openid', 'relay'] }, 'no_api_key'],
    ['no scope', {}, 'scope_missing'],
    ['a part of its name', { scope: 'rel ay' }, 'scope_missing'],
    ['another case', { scope: 'Relay' }, 'scope_missing'],
    ['a role of its name', { roles: ['relay'] }, 'scope_missing'],
  ])('is in the token: %s', async ([, claims, code]) => {
    const token = await mintToken({ sub: await someUser(), ...claims })
    const response = await call('GET', PATH, { token })
    expect(response.headers.get('X-Vault-Error')).toBe(code)
  })

  it('is checked before anything is read', async () => {
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const token = await mintToken({ sub: await someUser() })
    const response = await call('GET', PATH, { token, env: { DB } })
    expect([response.status, trips]).toEqual([403, 0])
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer error="insufficient_scope"')
  })
})

describe('a token that a page can send without a header of its own', () => {
  it.for<[name: string, query: string, headers: (token: string) => Record<string, string>]>([
    ['in the query', '?key=TOKEN&access_token=TOKEN', () => ({})],
    ['in a cookie', '', (token) => ({ Cookie: `access_token=${token}; token=${token}` })],
    [
      'in the subprotocol of a WebSocket',
      '',
      (token) => ({
        Upgrade: 'websocket',
        Origin: 'https://evil.test',
        'Sec-WebSocket-Protocol': `realtime, openai-insecure-api-key.${token}`,
      }),
    ],
  ])('is refused: %s', async ([, query, headers]) => {
    const token = await mintToken({ sub: await someKeyUser(someKey()), scope: 'relay' })
    const path = PATH + query.replaceAll('TOKEN', token)
    const response = await call('GET', path, { headers: headers(token) })
    expect([response.status, response.headers.get('X-Vault-Error')]).toEqual([401, 'token_missing'])
  })
})

describe('the header with the token', () => {
  const HEADERS = {
    header: { label: 'Header', origin: 'http://127.0.0.1:9', header: 'X-Key', refusals: [] },
    scheme: {
      label: 'Scheme',
      origin: 'http://127.0.0.1:9',
      header: 'authorization',
      scheme: 'Key',
      refusals: [],
    },
    both: {
      label: 'Both',
      origin: 'http://127.0.0.1:9',
      header: 'X-Key',
      scheme: 'Key',
      refusals: [],
    },
    bare: {
      label: 'Bare',
      origin: 'http://127.0.0.1:9',
      header: 'authorization',
      refusals: [],
    },
  }
  const vault = { PROVIDERS: HEADERS }

  it.for<[name: string, provider: string, sent: (token: string) => Record<string, string>]>([
    ['Authorization', 'header', (token) => ({ Authorization: `Bearer ${token}` })],
    ['that of the provider’s SDK', 'header', (token) => ({ 'X-Key': token })],
    [
      'Authorization before that of the SDK',
      'header',
      (token) => ({ Authorization: `Bearer ${token}`, 'X-Key': 'sk-other' }),
    ],
    ['the SDK’s own scheme', 'scheme', (token) => ({ Authorization: `Key ${token}` })],
    [
      'the SDK’s own scheme in another case',
      'scheme',
      (token) => ({ Authorization: `kEY ${token}` }),
    ],
    ['Bearer instead of it', 'scheme', (token) => ({ Authorization: `Bearer ${token}` })],
    ['the SDK’s own header with its scheme', 'both', (token) => ({ 'X-Key': `Key ${token}` })],
    ['Authorization instead of both', 'both', (token) => ({ Authorization: `Bearer ${token}` })],
    ['Authorization without a scheme', 'bare', (token) => ({ Authorization: token })],
    ['Bearer instead of no scheme', 'bare', (token) => ({ Authorization: `Bearer ${token}` })],
  ])('is %s', async ([, provider, sent]) => {
    const headers = sent(await mintToken({ sub: await someUser(), scope: 'relay' }))
    const response = await call('GET', `/relay/${provider}/v1`, { headers, env: vault })
    expect(response.headers.get('X-Vault-Error')).toBe('no_api_key')
  })

  it.for<[name: string, provider: string, sent: (token: string) => Record<string, string>]>([
    ['none', 'scheme', () => ({})],
    ['none, for an unknown provider', 'nowhere', () => ({})],
    ['the token alone, for an unknown provider', 'nowhere', (token) => ({ Authorization: token })],
    ['another provider’s', 'scheme', (token) => ({ 'X-Key': token })],
    ['another scheme', 'scheme', (token) => ({ Authorization: `Basic ${token}` })],
    [
      'another scheme before that of the SDK',
      'header',
      (token) => ({ Authorization: `Basic ${token}`, 'X-Key': token }),
    ],
    ['the token alone if the SDK has a scheme', 'both', (token) => ({ 'X-Key': token })],
    ['the token alone in Authorization', 'header', (token) => ({ Authorization: token })],
    ['another provider’s scheme', 'header', (token) => ({ Authorization: `Key ${token}` })],
  ])('is not %s', async ([, provider, sent]) => {
    const headers = sent(await mintToken({ sub: await someUser(), scope: 'relay' }))
    const response = await call('GET', `/relay/${provider}/v1`, { headers, env: vault })
    expect([response.status, response.headers.get('X-Vault-Error')]).toEqual([401, 'token_missing'])
  })
})

it('a token with a space in it is not put together', async () => {
  const own = { label: 'Own', origin: 'http://127.0.0.1:9', header: 'X-Key', scheme: 'Key' }
  const vault = { PROVIDERS: { own: { ...own, refusals: [] } } }
  const token = await mintToken({ sub: await someUser(), scope: 'relay' })
  const headers = { 'X-Key': `Key ${token.replace('.', '. ')}` }
  const response = await call('GET', '/relay/own/v1', { headers, env: vault })
  expect(response.headers.get('X-Vault-Error')).toBe('token_invalid')
})

describe('RELAY_SCOPE and RELAY_PROVIDERS', () => {
  const codeOf = async (provider: string, vault: Partial<Env>) => {
    const token = await mintToken({ sub: await someUser(), scope: 'relay' })
    const response = await call('GET', `/relay/${provider}/v1`, { token, env: vault })
    return [response.status, response.headers.get('X-Vault-Error')]
  }

  it('turns the relay off if the scope is empty', async () => {
    expect(await codeOf('openai', { RELAY_SCOPE: '' })).toEqual([404, 'not_found'])
  })

  it('says which scope is missing', async () => {
    const token = await mintToken({ sub: await someUser() })
    const response = await call('GET', PATH, { token })
    expect(await response.json()).toMatchObject({
      detail: 'Neither its "scope" nor its "scp" has the scope that RELAY_SCOPE names.',
    })
  })

  it('names the providers of the relay', async () => {
    const vault = { RELAY_PROVIDERS: 'acme' }
    expect(await codeOf('acme', vault)).toEqual([404, 'no_api_key'])
    expect(await codeOf('openai', vault)).toEqual([403, 'provider_not_granted'])
  })
})

it('tells an SDK not to try again if the stored key cannot be decrypted', async () => {
  const userId = await someKeyUser(someKey())
  const sql = "UPDATE api_keys SET encrypted_api_key = 'v1.0123456789ab.AAAA' WHERE user_id = ?1"
  await env.DB.prepare(sql).bind(userId).run()
  const token = await mintToken({ sub: userId, scope: 'relay' })
  const { status, headers } = await call('GET', PATH, { token })
  expect([status, headers.get('X-Vault-Error')]).toEqual([500, 'api_key_unreadable'])
  expect(headers.get('X-Should-Retry')).toBe('false')
})

it('does not log a name that is not a provider', async () => {
  const token = await mintToken({ sub: await someUser(), scope: 'relay', azp: 'app' })
  const logs = recordLogs()
  const response = await call('GET', '/relay/sk-misplaced-key/v1', { token })
  expect(response.headers.get('X-Vault-Error')).toBe('unknown_provider')
  expect(logs.events()).toMatchObject([{ event: 'request', provider: null, caller: 'app' }])
  expect(logs.text()).not.toContain('sk-misplaced')
})

it('logs the provider that default means', async () => {
  const token = await mintToken({ sub: await someUser(), scope: 'relay' })
  const logs = recordLogs()
  await call('GET', '/relay/default/v1', { token, env: { DEFAULT_PROVIDER: 'openai' } })
  expect(logs.events()).toMatchObject([{ code: 'no_api_key', provider: 'openai' }])
})

describe('RELAY_LIMITER', () => {
  it('limits the requests of each user', async () => {
    const vault = { RELAY_LIMITER: env.TIGHT_RATE_LIMITER }
    const statuses = async (token: string) => {
      const one = await call('GET', PATH, { token, env: vault })
      const two = await call('GET', PATH, { token, env: vault })
      const three = await call('GET', PATH, { token, env: vault })
      return [one.status, two.status, three.status, three.headers.get('Retry-After')]
    }
    const limited = [404, 404, 429, '60']
    expect(await statuses(await mintToken({ sub: await someUser(), scope: 'relay' }))).toEqual(
      limited,
    )
    expect(await statuses(await mintToken({ sub: await someUser(), scope: 'relay' }))).toEqual(
      limited,
    )
  })
})
