/** Several keys of one provider: how they are saved, listed and told apart. */

import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { vaultFetch } from '../../src/callers/fetch.ts'
import { encodeSlot } from '../../src/shared/slot.ts'
import { call, PROVIDER, putKey, recordLogs, slotPath } from '../support.ts'
import { bind, kinds, MODELS, someKeyOf, someOwner, type Owner } from './key-owner.ts'

const UNCHECKED = '?verify=false'

/** Saves a key in each of the slots. */
async function fill(owner: Pick<Owner, 'put'>, ...slots: string[]) {
  for (const slot of slots) {
    // oxlint-disable-next-line no-await-in-loop -- a key comes after those that are there
    expect((await owner.put(slot, someKeyOf('good'), UNCHECKED)).status).toBe(200)
  }
}

/** The listed slots of a provider. */
async function listed({ list }: Pick<Owner, 'list'>, provider = 'openai') {
  const { body } = await list()
  const items: unknown = body['api_keys']
  if (!Array.isArray(items)) throw new Error('no list')
  return items
    .filter((item) => `${item.provider}:`.startsWith(`${provider}:`))
    .map(({ provider: slot, label, position }) => [slot, label, position])
}

const fullOf = (provider: string) =>
  Array.from({ length: 10 }, (_, index) => `${provider}:key-${index}`)

describe('a save', () => {
  it.for(['openai:work', 'openai%3Awork'])('takes the path %s', async (segment) => {
    const { userId, token, get } = await someOwner()
    const path = slotPath(userId, '') + segment
    const saved = await call('PUT', path + UNCHECKED, { token, body: { api_key: 'sk-a-b-c-d-e' } })
    expect(await saved.json()).toMatchObject({ user: { provider: 'openai:work' } })
    const shown = { provider: 'openai:work', has_api_key: true, api_key_preview: 'sk-a-b-c...' }
    expect(await (await call('GET', path, { token })).json()).toMatchObject(shown)
    expect((await get('openai')).body).toEqual({ provider: 'openai', has_api_key: false })
    await call('DELETE', path, { token })
    expect(await (await call('GET', path, { token })).json()).toMatchObject({ has_api_key: false })
  })

  it('asks the provider of a labelled slot first, and seals the key for it alone', async () => {
    const owner = await someOwner()
    const { put, verify, stored } = owner
    const key = someKeyOf('good')
    expect(await put('openai:работа', key)).toMatchObject({ body: { user: { status: 'active' } } })
    expect(await put('openai:other', someKeyOf('bad'))).toMatchObject({ status: 422 })
    expect(await verify('openai:работа')).toMatchObject({ body: { verdict: 'accepted' } })
    expect([await stored('openai:работа'), await stored('openai')]).toEqual([key, null])
  })

  it('replaces a labelled key in its slot and position', async () => {
    const owner = await someOwner()
    await fill(owner, 'openai:a', 'openai:b', 'openai:a')
    expect(await listed(owner)).toEqual([
      ['openai:a', 'a', 0],
      ['openai:b', 'b', 1],
      ['openai', 'OpenAI', undefined],
    ])
    expect(kinds(await owner.events())).toEqual(['saved', 'saved', 'replaced'])
  })

  it.for([
    ['work', 'WORK'],
    ['straße', 'STRASSE'],
    ['straße', 'STRAẞE'],
    ['STRASSE', 'STRAẞE'],
    ['όδος', 'ΌΔΟΣ'],
  ])('refuses a twin of %s, %s', async ([label, twin]) => {
    const owner = await someOwner()
    await fill(owner, `openai:${label}`, `acme:${twin}`)
    for (const query of ['', UNCHECKED]) {
      const refused = await owner.put(`openai:${twin}`, someKeyOf('bad'), query)
      const code = { code: 'api_key_exists', detail: expect.stringContaining('capital letters') }
      expect(refused).toMatchObject({ status: 409, body: code })
    }
  })

  it('refuses an eleventh key of a provider, and replaces one of ten', async () => {
    const owner = await someOwner()
    await fill(owner, ...fullOf('openai'), 'acme:work', 'openai:key-3')
    for (const slot of ['openai', 'openai:more']) {
      for (const query of ['', UNCHECKED]) {
        const refused = await owner.put(slot, someKeyOf('bad'), query)
        expect(refused).toMatchObject({ status: 409, body: { code: 'too_many_keys' } })
      }
    }
    await owner.remove('openai:key-0')
    await fill(owner, 'openai')
    expect((await listed(owner)).at(-1)).toEqual(['openai', 'OpenAI', 9])
  })

  it.for(['openai:', 'openai:a b', 'openai:sk-misplaced', 'default:work'])(
    'no route takes the slot %j, and no log line has it',
    async (slot) => {
      const { get, put, remove, limit, verify, assign } = await someOwner()
      const refused = { status: 400, body: { code: 'label_invalid' } }
      const answers = await Promise.all([
        get(slot),
        put(slot, someKeyOf('good')),
        remove(slot),
        limit(slot, { paused: true }),
        verify(slot),
        assign(slot),
      ])
      for (const answer of answers) expect(answer).toMatchObject(refused)
    },
  )
})

describe('a use of a labelled slot', () => {
  it.for(['openai:work', 'openai%3Awork', 'openai:%E4%BB%95%E4%BA%8B'])(
    'the relay takes the path %s, and says which slot it was',
    async (segment) => {
      const { put, token } = await someOwner()
      const slot = decodeURIComponent(segment)
      await put('openai', someKeyOf('bad'), UNCHECKED)
      await put(slot, someKeyOf('good'), UNCHECKED)
      const lines = recordLogs()
      const used = await call('GET', `/relay/${segment}/v1/models`, { token })
      await used.text()
      const name = encodeSlot(slot)
      expect([used.status, used.headers.get('X-Vault-Slot')]).toEqual([200, name])
      expect(lines.events()).toContainEqual(
        expect.objectContaining({ event: 'request', provider: name }),
      )
    },
  )

  it('the relay refuses a label that is not valid, and logs no name', async () => {
    const { token } = await someOwner()
    const lines = recordLogs()
    const used = await call('GET', '/relay/openai:sk-misplaced/v1/models', { token })
    expect([used.status, used.headers.get('X-Vault-Error')]).toEqual([400, 'label_invalid'])
    expect(lines.text()).not.toContain('misplaced')
  })

  it('vaultFetch names the slot, and a binding logs it', async () => {
    const { userId, put } = await someOwner()
    await put('openai:仕事', someKeyOf('good'), UNCHECKED)
    const lines = recordLogs()
    const fetch = vaultFetch(bind('chat'), { userId, provider: 'openai:仕事' })
    const answer = await fetch(MODELS)
    await answer.text()
    const name = 'openai:%E4%BB%95%E4%BA%8B'
    expect([answer.status, answer.headers.get('X-Vault-Slot')]).toEqual([200, name])
    expect(lines.events()).toContainEqual(
      expect.objectContaining({ event: 'binding_call', provider: name }),
    )
  })

  it('a caller that may use one slot of a provider gets its key for the provider', async () => {
    const { userId, put } = await someOwner()
    await put('openai', someKeyOf('good'), UNCHECKED)
    const vault = exports.KeyVault({
      props: { caller: 'chat', grants: ['use', 'reveal'], providers: ['openai:work'] },
    })
    const use = async (slot: string) => vault.fetchWithApiKey(userId, slot, new Request(MODELS))
    expect(await use('openai')).toMatchObject({ ok: false, code: 'provider_not_granted' })
    const key = someKeyOf('good')
    await put('openai:work', key, UNCHECKED)
    const used = await use('openai')
    expect(used).toMatchObject({ ok: true, key: { source: 'own', slot: 'openai:work' } })
    if (used.ok) await used.response.text()
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual({ ok: true, apiKey: key })
    expect(await use('openai:home')).toMatchObject({ code: 'provider_not_granted' })
  })

  it('a provider with an address per user has one host for all its slots', async () => {
    const { userId, request } = await someOwner()
    const body = { api_key: someKeyOf('good'), base_url: `${PROVIDER}/base` }
    const saved = await request('PUT', `${slotPath(userId, 'own:work')}${UNCHECKED}`, body)
    expect(saved.status).toBe(200)
    const asked = new Request('https://own.invalid/v1/models')
    const used = await bind('chat').fetchWithApiKey(userId, 'own:work', asked)
    expect(used).toMatchObject({ ok: true })
    if (used.ok) await used.response.text()
  })
})

describe('the list', () => {
  it('the list has the keys of a provider in their order, then its empty slot', async () => {
    const owner = await someOwner()
    await putKey(owner.userId, someKeyOf('good'))
    await fill(owner, 'openai:b', 'openai', 'openai:a', 'acme:お仕事')
    const { body } = await owner.list()
    const items: unknown = body['api_keys']
    const names = Array.isArray(items) ? items.map(({ provider }) => provider) : []
    expect(names.slice(0, 4)).toEqual(['default', 'openai:b', 'openai', 'openai:a'])
    expect(new Set(names).size).toBe(names.length)
    expect(await listed(owner, 'acme')).toEqual([
      ['acme:お仕事', 'お仕事', 0],
      ['acme', 'Acme', undefined],
    ])
    expect(await listed(owner, 'default')).toEqual([['default', null, undefined]])
  })

  it('the list has the keys of a removed provider last', async () => {
    const owner = await someOwner()
    await fill(owner, 'acme:b', 'acme:a')
    const { list } = await someOwner({ userId: owner.userId, vault: { PROVIDERS: '{}' } })
    const { body } = await list()
    const items: unknown = body['api_keys']
    expect(Array.isArray(items) && items.slice(-2)).toMatchObject([
      { provider: 'acme:b', label: 'b', key_page: null, position: 0 },
      { provider: 'acme:a', label: 'a', key_page: null, position: 1 },
    ])
  })

  it('names the same key under other labels', async () => {
    const owner = await someOwner()
    const key = someKeyOf('good')
    await owner.put('openai:a', key, UNCHECKED)
    const saved = await owner.put('openai:b', key, UNCHECKED)
    expect(saved).toMatchObject({ body: { user: { same_key_in: ['openai:a'] } } })
    const { body } = await owner.list()
    const same = { provider: 'openai:a', same_key_in: ['openai:b'] }
    expect(body['api_keys']).toContainEqual(expect.objectContaining(same))
  })
})

it('a use that names an empty slot takes no other key, however often it asks', async () => {
  const fresh: object = { USE_FRESH_SECONDS: '60', DELETIONS: undefined }
  const owner = await someOwner({ vault: Object.assign({}, fresh) })
  await fill(owner, 'openai:work')
  const used = new Array<unknown>()
  const use = async () =>
    owner.bound(async (binding) => {
      used.push(await binding.fetchWithApiKey(owner.userId, 'openai:home', new Request(MODELS)))
    })
  await use()
  await use()
  const empty = { ok: false, code: 'no_api_key' }
  expect(used).toEqual([empty, empty])
})

describe('a key of the plain route', () => {
  it('the plain route’s key is assigned to a labelled slot after the others', async () => {
    const owner = await someOwner()
    await fill(owner, 'openai')
    await owner.putPlain(someKeyOf('good'))
    expect(await owner.assign('openai:home', UNCHECKED)).toMatchObject({ status: 200 })
    expect((await listed(owner)).at(-1)).toEqual(['openai:home', 'home', 1])
  })

  it('the plain route’s key is not assigned to a provider with ten keys, or to a twin', async () => {
    const owner = await someOwner()
    await fill(owner, ...fullOf('openai'), 'acme:a')
    await owner.putPlain(someKeyOf('bad'))
    for (const query of ['', UNCHECKED]) {
      const full = { status: 409, body: { code: 'too_many_keys' } }
      expect(await owner.assign('openai:more', query)).toMatchObject(full)
      const taken = { status: 409, body: { code: 'api_key_exists' } }
      expect(await owner.assign('acme:A', query)).toMatchObject(taken)
      expect(await owner.assign('acme:a', query)).toMatchObject(taken)
    }
  })

  it('the plain route’s key moves to DEFAULT_PROVIDER after its labelled keys', async () => {
    const { userId, putPlain, ...others } = await someOwner()
    await fill(others, 'openai:a', 'openai:b')
    await putPlain(someKeyOf('good'))
    const owner = await someOwner({ userId, vault: { DEFAULT_PROVIDER: 'openai' } })
    expect((await listed(owner)).map(([slot]) => slot)).toEqual(['openai:a', 'openai:b', 'openai'])
    expect(await owner.get('default')).toMatchObject({ body: { has_api_key: true } })
  })
})
