/** The slot that a name means, with and without `DEFAULT_PROVIDER`. */

import { describe, expect, it } from 'vitest'
import { findSlot, nameSlot, namesOf, requireKnown, slotName } from '../../src/keys/slot-name.ts'
import { VaultError } from '../../src/errors.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { call, keyPath, mintToken, putKey, slotPath, someKeyUser } from '../support.ts'
import { listPath, someKeyOf, someOwner } from './key-owner.ts'

const settingsOf = async (DEFAULT_PROVIDER: string) =>
  (await openService({ ...env, DEFAULT_PROVIDER })).settings

/** Why the owner cannot save a key in the slot; null if they can. */
async function refusalOf(defaultProvider: string, userId: string, given: string) {
  const service = await openService({ ...env, DEFAULT_PROVIDER: defaultProvider })
  try {
    requireKnown({ service, userId }, findSlot(service.settings, given))
    return null
  } catch (error) {
    return VaultError.from(error)
  }
}

describe('a name', () => {
  it.for<[given: string, defaultProvider: string, name: string, names: string[]]>([
    ['default', '', 'default', ['default']],
    ['openai', '', 'openai', ['openai']],
    ['default', 'openai', 'openai', ['openai', 'default']],
    ['openai', 'openai', 'openai', ['openai', 'default']],
    ['openai:work', 'openai', 'openai:work', ['openai:work']],
    ['acme', 'openai', 'acme', ['acme']],
    ['gone', 'openai', 'gone', ['gone']],
  ])('%s with DEFAULT_PROVIDER %j means %s', async ([given, defaultProvider, name, names]) => {
    const settings = await settingsOf(defaultProvider)
    expect(slotName(settings, given)).toBe(name)
    expect(namesOf(settings, findSlot(settings, given))).toEqual(names)
  })

  it.for<[given: string, defaultProvider: string, label: string | undefined]>([
    ['default', '', undefined],
    ['default', 'openai', 'OpenAI'],
    ['acme', '', 'Acme'],
  ])('finds the provider of %s with DEFAULT_PROVIDER %j: %s', async ([given, name, label]) => {
    expect(findSlot(await settingsOf(name), given).provider?.label).toBe(label)
  })

  it('finds no slot of an unknown provider', async () => {
    for (const given of ['nobody', 'nobody:work']) {
      const refusal = { code: 'unknown_provider', message: expect.stringContaining('openai, ') }
      expect(await refusalOf('', 'ann', given)).toMatchObject(refusal)
    }
  })

  it.for<[given: string, provider: string, label: string | null]>([
    ['acme', 'Acme', null],
    ['acme:work', 'Acme', 'work'],
    ['acme:お仕事', 'Acme', 'お仕事'],
  ])('%s is a slot of the provider %s with the label %j', async ([given, provider, label]) => {
    const slot = findSlot(await settingsOf(''), given)
    expect(slot).toMatchObject({ name: given, label, isKnown: true, provider: { label: provider } })
    expect(await refusalOf('', 'ann', given)).toBeNull()
  })

  it.for<[given: string, detail: RegExp]>([
    ['acme:', /is empty/],
    ['acme:a b', /other than letters/],
    ['acme:a:b', /other than letters/],
    ['acme:sk-misplaced', /begins like an API key/],
    ['acme:AIzaMisplaced', /begins like an API key/],
    ['default:work', /which the plain route does not have/],
  ])('no slot has the name %s, with DEFAULT_PROVIDER too', async ([given, detail]) => {
    for (const name of ['', 'openai']) {
      const refusal = { code: 'label_invalid', detail: expect.stringMatching(detail) }
      expect(await refusalOf(name, 'ann', given)).toMatchObject(refusal)
      expect(nameSlot(await settingsOf(name), given)).toBeNull()
    }
  })

  it('a team has no default slot', async () => {
    expect(await refusalOf('', 'team:acme', 'default')).toMatchObject({ code: 'unknown_provider' })
    expect(await refusalOf('', 'team:acme', 'openai')).toBeNull()
    expect(await refusalOf('openai', 'team:acme', 'default')).toBeNull()
    expect(await refusalOf('', 'ann', 'default')).toBeNull()
  })

  it.for<[given: unknown, defaultProvider: string, name: string | null]>([
    ['default', '', 'default'],
    ['default', 'openai', 'openai'],
    ['acme', 'openai', 'acme'],
    ['acme:お仕事', '', 'acme:お仕事'],
    ['nobody:work', '', null],
    ['sk-misplaced', '', null],
    ['__proto__', '', null],
    [7, '', null],
    [undefined, '', null],
  ])('names the slot %j for the log, with DEFAULT_PROVIDER %j: %j', async ([given, ...rest]) => {
    const [defaultProvider, name] = rest
    expect(nameSlot(await settingsOf(defaultProvider), given)).toBe(name)
  })
})

describe('DEFAULT_PROVIDER', () => {
  const vault = { ...env, DEFAULT_PROVIDER: 'openai' }
  const preview = (api_key_preview: string) => ({ body: { api_key_preview } })

  it('a key that was saved before DEFAULT_PROVIDER was set is the provider’s', async () => {
    const { userId, get, verify } = await someOwner({ vault })
    await putKey(userId, someKeyOf('good'))
    expect(await get('openai')).toMatchObject(preview('sk-good-...'))
    expect(await verify('openai')).toMatchObject({ body: { verdict: 'accepted' } })
  })

  it('the plain route saves, shows and deletes the key of DEFAULT_PROVIDER', async () => {
    const { userId, request, putPlain, getPlain, get, stored } = await someOwner({ vault })
    await putKey(userId, someKeyOf('good'))
    const after = someKeyOf('good2')
    await putPlain(after)
    expect([await stored('openai'), await stored('default')]).toEqual([after, null])
    expect(await get('openai')).toMatchObject(preview('sk-good2...'))
    expect(await getPlain()).toMatchObject(preview('sk-good2...'))
    await request('DELETE', keyPath(userId))
    expect(await get('openai')).toMatchObject({ body: { has_api_key: false } })
  })

  it.for(['anthropic', 'openai'])(
    'the key of %s itself counts if both are as old, in the list too',
    async (provider) => {
      const own = { ...env, DEFAULT_PROVIDER: provider }
      const userId = await someKeyUser(someKeyOf('own'), provider)
      await putKey(userId, someKeyOf('plain'))
      await env.DB.prepare(
        "UPDATE api_keys SET updated_at = '2020-01-01T00:00:00.000Z' WHERE user_id = ?1",
      )
        .bind(userId)
        .run()
      const token = await mintToken({ sub: userId })
      const get = async (path: string) =>
        (await call('GET', path, { token, env: own })).json<Record<string, unknown>>()
      const key = { provider, api_key_preview: expect.stringMatching(/^sk-own-/) }
      expect(await get(slotPath(userId, provider))).toMatchObject(key)
      const listed = await get(listPath(userId))
      expect(listed['api_keys']).toContainEqual(expect.objectContaining(key))
    },
  )

  it('the list has one slot for the plain route and DEFAULT_PROVIDER', async () => {
    const { userId, list } = await someOwner({ vault })
    await putKey(userId, someKeyOf('good'))
    const { body } = await list()
    expect(body['api_keys']).toContainEqual(
      expect.objectContaining({ provider: 'openai', has_api_key: true }),
    )
    expect(body['api_keys']).not.toContainEqual(expect.objectContaining({ provider: 'default' }))
  })
})
