import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { useKey } from '../../src/binding/methods.ts'
import { calledOrigin, findPlace, requireBaseUrl } from '../../src/providers/base-url.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { saveSlot } from '../../src/keys/save.ts'
import {
  call,
  mintToken,
  ownerOf,
  PROVIDER,
  seenByProvider,
  slotOf,
  slotPath,
  someUser,
} from '../support.ts'

const azure: Provider = {
  label: 'Azure OpenAI',
  hosts: ['*.openai.azure.com', 'llm.example.com:8443', 'localhost:11434'],
  header: 'api-key',
  refusals: [],
}
const { hosts: _, ...others } = azure
const fixed: Provider = { ...others, origin: 'https://api.example.com' }
const detail = 'on one of these hosts: *.openai.azure.com, llm.example.com:8443, localhost:11434.'

describe('a base URL', () => {
  it.for([
    ['https://my.openai.azure.com', 'https://my.openai.azure.com'],
    ['https://my.openai.azure.com/', 'https://my.openai.azure.com'],
    ['https://MY.OpenAI.Azure.com:443/openai/v1//', 'https://my.openai.azure.com/openai/v1'],
    ['https://llm.example.com:8443/v1', 'https://llm.example.com:8443/v1'],
    ['http://localhost:11434/v1', 'http://localhost:11434/v1'],
    ['https://my.openai.azure.com/a/../b', 'https://my.openai.azure.com/b'],
  ])('accepts the base URL %s', ([given, expected]) => {
    expect(requireBaseUrl(azure, given)).toBe(expected)
  })

  it.for<string | undefined>([
    undefined,
    '',
    'my.openai.azure.com',
    'http://my.openai.azure.com',
    'ftp://my.openai.azure.com',
    'https://openai.azure.com',
    'https://.openai.azure.com',
    'https://a.b.openai.azure.com',
    'https://*.openai.azure.com',
    'https://my.openai.azure.com.',
    'https://my.openai.azure.com:8443',
    'https://my.openai.azure.com.evil.test',
    'https://my.openai.azure.com@evil.test',
    'https://user:pass@my.openai.azure.com',
    'https://evil.test/.openai.azure.com',
    'https://evil.test\\.openai.azure.com',
    'https://evil.test#.openai.azure.com',
    'https://myopenai.azure.com',
    'https://llm.example.com',
    'https://my.openai.azure.com/?key=1',
    'https://my.openai.azure.com/?',
    'https://my.openai.azure.com/#',
    'http://127.0.0.1:11434',
    'http://169.254.169.254/latest',
    'https://[::1]:11434',
  ])('refuses the base URL %s', (given) => {
    expect(() => requireBaseUrl(azure, given)).toThrow(detail)
  })

  it('refuses a base URL of 2,001 characters', () => {
    const base = 'https://my.openai.azure.com/'
    const longest = base.padEnd(2_000, 'a')
    expect(requireBaseUrl(azure, longest)).toBe(longest)
    expect(() => requireBaseUrl(azure, `${longest}a`)).toThrow(detail)
  })

  it.for([
    ['the default slot', null],
    ['a provider with an origin', fixed],
  ] as const)('takes no base URL for %s', ([, provider]) => {
    expect(requireBaseUrl(provider, undefined)).toBeNull()
    expect(() => requireBaseUrl(provider, 'https://my.openai.azure.com')).toThrow(
      'Leave base_url out: this provider has a fixed address.',
    )
  })

  it('callers address the origin of a provider, or a host that no resolver finds', () => {
    expect(calledOrigin('fixed', fixed)).toBe('https://api.example.com')
    expect(calledOrigin('azure', azure)).toBe('https://azure.invalid')
  })

  it.for<[path: string, expected: string]>([
    ['/chat?a=1', 'https://my.openai.azure.com/v1/chat?a=1'],
    ['/../chat', 'https://my.openai.azure.com/v1/chat'],
    ['/%2e%2e/chat', 'https://my.openai.azure.com/v1/chat'],
    ['//evil.test/chat', 'https://my.openai.azure.com/v1//evil.test/chat'],
    ['/@evil.test', 'https://my.openai.azure.com/v1/@evil.test'],
  ])('sends a request for the path %s to %s', ([path, expected]) => {
    const { pathname, search } = new URL(`https://azure.invalid${path}`)
    const place = findPlace(azure, pathname + search, 'https://my.openai.azure.com/v1')
    expect(place?.target).toBe(expected)
  })

  it.for(['/../chat', '/%2e%2e/chat', '/a/../../v10', '@evil.test/v1/', '.evil.test/v1/'])(
    'sends nothing for the path %s, which would leave the base URL',
    (path) => {
      expect(findPlace(azure, path, 'https://my.openai.azure.com/v1')).toBeNull()
    },
  )

  it('does not use a base URL whose host was removed from the configuration', () => {
    const narrower = { ...azure, hosts: ['other.openai.azure.com'] }
    expect(findPlace(narrower, '/chat', 'https://my.openai.azure.com')).toBeNull()
    expect(findPlace(azure, '/chat', null)).toBeNull()
  })

  it('keeps the key of a base URL from the origin that its provider got later', () => {
    expect(findPlace(fixed, '/chat', 'https://my.openai.azure.com/v1')).toBeNull()
    expect(findPlace(fixed, '/chat', null)?.target).toBe('https://api.example.com/chat')
  })
})

describe('a slot whose user gives the base URL', () => {
  const { host } = new URL(PROVIDER)
  const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

  async function someOwner() {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const request = async (method: string, path: string, body?: object) => {
      const response = await call(method, path, { token, ...(body && { body }) })
      return { status: response.status, body: await response.json<Record<string, unknown>>() }
    }
    return { userId, request, path: slotPath(userId, 'own') }
  }

  it('a slot keeps the base URL with the key, and sends requests only there', async () => {
    const { userId, request, path } = await someOwner()
    const [api_key, base_url] = [someKeyOf('good'), `${PROVIDER}/v1`]
    const saved = await request('PUT', path, { api_key, base_url: `${base_url}/` })
    expect(saved).toMatchObject({ status: 200, body: { user: { base_url, status: 'active' } } })
    expect(await request('GET', path)).toMatchObject({ body: { base_url, status: 'active' } })
    expect(await request('GET', slotPath(userId, '').slice(0, -1))).toMatchObject({
      body: {
        api_keys: expect.arrayContaining([expect.objectContaining({ hosts: [host], base_url })]),
      },
    })
    const owner = await ownerOf(userId)
    const called = new Request('https://own.invalid/chat?x=%2F', { method: 'POST', body: 'hello' })
    const waiting: Promise<void>[] = []
    const waitUntil = (recording: Promise<void>) => void waiting.push(recording)
    const user = { ...owner, by: { kind: 'caller', name: 'chat' } as const, waitUntil }
    const { response } = await useKey(user, slotOf(user, 'own'), called)
    expect(response.status).toBe(200)
    await Promise.all(waiting)
    expect(await seenByProvider(api_key)).toMatchObject([
      { method: 'GET', url: '/v1/models' },
      { method: 'POST', url: '/v1/chat?x=%2F', body: 'hello' },
    ])
    const direct = new Request(`${PROVIDER}/v1/chat`)
    await expect(useKey(user, slotOf(user, 'own'), direct)).rejects.toThrow('origin_not_allowed')
  })

  it('the relay keeps a redirect below the base URL, and shows any other in full', async () => {
    const { userId, request, path } = await someOwner()
    const token = await mintToken({ sub: userId, scope: 'relay' })
    await request('PUT', path, { api_key: someKeyOf('good'), base_url: `${PROVIDER}/v1` })
    const redirectTo = async (location: string) => {
      const { headers } = await call('GET', `/relay/own/redirect?${location}`, { token })
      return [headers.get('Location'), headers.get('X-Vault-Location')]
    }
    expect(await redirectTo('/v1/models')).toEqual(['/relay/own/models', null])
    expect(await redirectTo('/login')).toEqual([null, `${PROVIDER}/login`])
    const { headers } = await call('GET', '/relay/own/models', { token })
    expect([headers.get('Location'), headers.get('X-Vault-Location')]).toEqual([null, null])
  })

  it('a binding gets a redirect below the base URL at the origin that it addressed', async () => {
    const { userId, request, path } = await someOwner()
    await request('PUT', path, { api_key: someKeyOf('good'), base_url: `${PROVIDER}/v1` })
    const by = { kind: 'caller', name: 'chat' } as const
    const user = { ...(await ownerOf(userId)), by, waitUntil: () => null }
    const redirectTo = async (location: string) => {
      const called = new Request(`https://own.invalid/redirect?${location}`)
      const {
        response: { headers },
      } = await useKey(user, slotOf(user, 'own'), called)
      return headers.get('Location')
    }
    expect(await redirectTo('/v1/models')).toBe('https://own.invalid/models')
    expect(await redirectTo('/login')).toBe(`${PROVIDER}/login`)
    expect(await redirectTo('https://evil.test/')).toBe('https://evil.test/')
  })

  it('a new key is checked at its base URL, and the previous pair stays if it is rejected', async () => {
    const { request, path } = await someOwner()
    const [good, bad] = [someKeyOf('good'), someKeyOf('bad')]
    await request('PUT', path, { api_key: good, base_url: `${PROVIDER}/v1` })
    const refused = await request('PUT', path, { api_key: bad, base_url: `${PROVIDER}/v2` })
    expect(refused).toMatchObject({ status: 422, body: { code: 'api_key_rejected' } })
    expect(await seenByProvider(bad)).toMatchObject([{ url: '/v2/models' }])
    expect(await request('GET', path)).toMatchObject({ body: { base_url: `${PROVIDER}/v1` } })
  })

  it.for<[name: string, body: object]>([
    ['a missing base URL', {}],
    ['a base URL on another host', { base_url: 'https://evil.test' }],
    ['a base URL that is not a string', { base_url: 7 }],
  ])('a save is refused before anything is sent: %s', async ([, body]) => {
    const { request, path } = await someOwner()
    const api_key = someKeyOf('good')
    expect(await request('PUT', path, { api_key, ...body })).toMatchObject({
      status: 400,
      body: { error: 'Valid base URL is required', code: 'base_url_invalid' },
    })
    expect(await seenByProvider(api_key)).toEqual([])
  })

  it('a slot of another provider refuses a base URL, and the plain route ignores it', async () => {
    const { userId } = await someOwner()
    const token = await mintToken({ sub: userId })
    const body = { api_key: someKeyOf('good'), base_url: PROVIDER }
    const refused = await call('PUT', slotPath(userId, 'openai'), { token, body })
    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      { code: 'base_url_invalid' },
    ])
    const plain = slotPath(userId, '').replace('api-keys/', 'api-key')
    expect((await call('PUT', plain, { token, body })).status).toBe(200)
  })

  const own = { label: 'Own', header: 'authorization', scheme: 'Bearer', refusals: [] }
  const withOrigin = { ...env, PROVIDERS: { own: { ...own, origin: PROVIDER } } }

  it.for([
    [
      'the origin that its provider got',
      `${PROVIDER}/v1/models`,
      env,
      withOrigin,
      `${PROVIDER}/v1`,
    ],
    ['any host after its provider lost its origin', 'https://own.invalid/', withOrigin, env],
  ] as const)('a key is not sent to %s', async ([, url, earlier, later, baseUrl]) => {
    const [userId, apiKey] = [await someUser(), someKeyOf('good')]
    await saveSlot(await ownerOf(userId, earlier), 'own', { apiKey, baseUrl, verify: false })
    const by = { kind: 'caller', name: 'chat' } as const
    const user = { ...(await ownerOf(userId, later)), by, waitUntil: () => undefined }
    const use = useKey(user, slotOf(user, 'own'), new Request(url))
    await expect(use).rejects.toMatchObject({ code: 'base_url_invalid' })
    expect(await seenByProvider(apiKey)).toEqual([])
  })
})
