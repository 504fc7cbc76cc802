/** What the methods for support show and note, which slots the methods take, and where a `Location` leads. */

import { exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { someKeyOf, someOwner } from '../keys/key-owner.ts'
import type { KeyVault } from '../../src/binding/key-vault.ts'
import { callersLocation, slotOf, usedSlotOf } from '../../src/binding/methods.ts'
import { VaultError } from '../../src/errors.ts'
import { slotName } from '../../src/keys/slot-name.ts'
import type { BindingProps } from '../../src/shared/caller.ts'
import { env } from '../isolate.ts'
import { interceptD1, ownerOf, recordLogs, someUser } from '../support.ts'
import { ALL, bindTo } from './callers.ts'

const DESK = { caller: 'desk', grants: ['support'] }
const binding = exports.KeyVault({ props: DESK })

it('shows slots and events as their owner sees them, and no key', async () => {
  const key = someKeyOf('good')
  const { userId, save, events, list } = await someOwner()
  await save(key)
  const listed = await binding.listSlots(userId)
  const { api_keys } = (await list()).body
  expect(listed).toEqual({ ok: true, slots: api_keys })
  const shown = await events('?provider=openai')
  const seen = await binding.listEvents(userId, { provider: 'openai' })
  expect(seen).toEqual({ ok: true, events: shown.toReversed(), nextCursor: null })
  expect(JSON.stringify([listed, seen])).not.toContain(key)
})

it('a binding sees no name of a slot that its props do not cover', async () => {
  const { userId, put } = await someOwner()
  const key = someKeyOf('good')
  for (const slot of ['openai', 'openai:work', 'acme']) {
    // oxlint-disable-next-line no-await-in-loop -- the list is in this order
    await put(slot, key, '?verify=false')
  }
  const sameFor = async (...providers: string[]) => {
    const listed = await bindTo({}, { ...DESK, providers }).listSlots(userId)
    return (
      listed.ok &&
      listed.slots.map((slot) => [slot.provider, 'same_key_in' in slot && slot.same_key_in])
    )
  }
  expect(await sameFor('openai:work')).toEqual([['openai:work', false]])
  expect(await sameFor('openai')).toEqual([
    ['openai', ['openai:work']],
    ['openai:work', ['openai']],
  ])
})

const SETTINGS = [
  ['', {}],
  ['0', {}],
  ['1', { effectiveWithinSeconds: 1 }],
  ['60', { effectiveWithinSeconds: 60 }],
] as const

it.for(SETTINGS)(
  'each change says how soon it counts, with USE_FRESH_SECONDS of "%s": %j',
  async ([USE_FRESH_SECONDS, said]) => {
    const vault = bindTo({ USE_FRESH_SECONDS }, { ...ALL, teams: true })
    const [userId, teamId] = [`user-${crypto.randomUUID()}`, `team-${crypto.randomUUID()}`]
    const ISO: unknown = expect.any(String)
    expect(await vault.createUser(userId)).toEqual({ ok: true, created: true })
    expect(await vault.saveKey(userId, 'acme', { apiKey: someKeyOf('good') })).toEqual({
      ok: true,
      slot: expect.any(Object),
      ...said,
    })
    expect(await vault.pauseKey(userId, 'acme')).toEqual({ ok: true, pausedAt: ISO, ...said })
    for (const deleted of [true, false]) {
      // oxlint-disable-next-line no-await-in-loop -- the second deletion finds nothing
      expect(await vault.deleteKey(userId, 'acme')).toEqual({ ok: true, deleted, ...said })
    }
    expect(await vault.hasUser(userId)).toEqual({ ok: true, exists: true })
    expect(await vault.deleteUser(userId)).toEqual({ ok: true, deleted: true, ...said })
    expect(await vault.deleteTeam(teamId)).toEqual({ ok: true, deleted: false, ...said })
    const gone = { ok: false, code: 'user_not_found' }
    expect(await vault.pauseKey(userId, 'acme')).toEqual(gone)
  },
)

it.for<[query: object]>([
  [{ limit: 0 }],
  [{ limit: 201 }],
  [{ cursor: 5 }],
  [{ providers: ['openai'] }],
  [['openai']],
  [[null]],
])('refuses to list events by %j', async ([query]) => {
  const refusal = { ok: false, code: 'invalid_argument' }
  expect(await binding.listEvents(await someUser(), Object(query))).toEqual(refusal)
})

it('notes each look, pause and deletion with the caller', async () => {
  const { userId, save, bound, events } = await someOwner()
  await save(someKeyOf('good'))
  await bound(async (vault) => vault.listSlots(userId), DESK)
  await bound(async (vault) => vault.listEvents(userId), DESK)
  await bound(async (vault) => vault.listEvents(userId, { provider: 'openai' }), DESK)
  await bound(async (vault) => vault.pauseKey(userId, 'openai'), DESK)
  await bound(async (vault) => vault.deleteKey(userId, 'openai'), DESK)
  const byDesk = { by: 'operator', caller: 'binding:desk' }
  expect((await events()).slice(1)).toMatchObject([
    { ...byDesk, provider: '*', event: 'viewed' },
    { ...byDesk, provider: '*', event: 'viewed' },
    { ...byDesk, provider: 'openai', event: 'viewed' },
    { ...byDesk, provider: 'openai', event: 'paused' },
    { ...byDesk, provider: 'openai', event: 'deleted' },
  ])
})

const LOOKS: [what: string, look: (vault: KeyVault, userId: string) => Promise<object>][] = [
  ['slots', async (vault, userId) => vault.listSlots(userId)],
  ['events', async (vault, userId) => vault.listEvents(userId, { provider: 'openai' })],
]

it.for(LOOKS)('shows no %s if D1 does not note that', async ([, look]) => {
  recordLogs()
  const { userId, events } = await someOwner()
  let trips = 0
  const DB = interceptD1(async () => {
    trips += 1
    throw new Error('D1_ERROR: D1 DB is overloaded.')
  })
  const seen = await look(bindTo({ DB }, DESK), userId)
  expect(seen).toEqual({ ok: false, code: 'database_busy', retryAfter: 1 })
  expect([trips, await events()]).toEqual([1, []])
})

it('notes no key that a caller gives as the name of a slot', async () => {
  const { userId, bound, events } = await someOwner()
  const key = someKeyOf('good')
  await bound(async (vault) => vault.listEvents(userId, { provider: key }))
  await bound(async (vault) => vault.listEvents(userId, { provider: 'openai' }))
  const viewed = (await events()).map(({ provider }) => provider)
  expect(viewed.toSorted()).toEqual(['*', 'openai'])
})

it('says which user or key there is not', async () => {
  expect(await binding.listSlots('nobody')).toEqual({ ok: false, code: 'user_not_found' })
  expect(await binding.listEvents('nobody')).toEqual({ ok: false, code: 'user_not_found' })
  const userId = await someUser()
  expect(await binding.pauseKey(userId, 'openai')).toEqual({ ok: false, code: 'no_api_key' })
  expect(await binding.deleteKey(userId, 'openai')).toEqual({ ok: true, deleted: false })
})

const refusal = (code: string) => expect.objectContaining({ code })

/** The name of the slot of a call with these props, to a vault with this `DEFAULT_PROVIDER`. */
async function readSlot(
  slot: unknown,
  props: BindingProps = ALL,
  { DEFAULT_PROVIDER = '', read = slotOf } = {},
) {
  const owner = await ownerOf('jane', { ...env, DEFAULT_PROVIDER })
  const by = { kind: 'caller', name: 'binding:chat' } as const
  const granted = props.providers?.map((named) => slotName(owner.service.settings, named))
  const user = { ...owner, by, waitUntil: () => undefined, granted }
  return read({ user, owner, props, given: { userId: 'jane', slot } }).name
}

it.for<[providers: string[] | undefined, name: string, defaultProvider: string, is: boolean]>([
  [undefined, 'openai', '', true],
  [['openai'], 'openai', '', true],
  [['anthropic', 'openai'], 'openai', '', true],
  [['anthropic'], 'openai', '', false],
  [['openai'], 'OpenAI', '', false],
  [[], 'openai', '', false],
  [['default'], 'default', '', true],
  [['default'], 'openai', '', false],
  [['openai'], 'default', '', false],
  [['default'], 'default', 'openai', true],
  [['default'], 'openai', 'openai', true],
  [['openai'], 'default', 'openai', true],
  [['openai'], 'openai', 'openai', true],
  [['anthropic'], 'default', 'openai', false],
  [['default'], 'anthropic', 'openai', false],
  [['openai'], 'openai:work', '', true],
  [['default'], 'openai:work', 'openai', true],
  [['openai:work'], 'openai:work', '', true],
  [['openai:work'], 'openai', '', false],
  [['openai:work'], 'openai:home', '', false],
  [['openai:work'], 'openai:workshop', '', false],
  [['open'], 'openai:work', '', false],
])(
  'a binding of the slots %j may use %s with DEFAULT_PROVIDER %j: %s',
  async ([providers, name, DEFAULT_PROVIDER, expected]) => {
    const props = { ...ALL, ...(providers && { providers }) }
    const reading = readSlot(name, props, { DEFAULT_PROVIDER })
    const read = await reading.catch((error: unknown) => VaultError.from(error).code)
    const slot = (name === 'default' && DEFAULT_PROVIDER) || name
    expect(read).toBe(expected ? slot : 'provider_not_granted')
  },
)

it.for<[providers: string[], name: string, is: boolean]>([
  [['openai:work'], 'openai', true],
  [['openai:work'], 'openai:work', true],
  [['openai:work'], 'openai:home', false],
  [['openai:work'], 'acme', false],
  [['openai'], 'openai:work', true],
])('a binding of %j may use a key of %s: %s', async ([providers, name, expected]) => {
  const reading = readSlot(name, { ...ALL, providers }, { read: usedSlotOf })
  const read = await reading.catch((error: unknown) => VaultError.from(error).code)
  expect(read).toBe(expected ? name : 'provider_not_granted')
})

it('lists the slots that a binding covers', async () => {
  const { userId, put } = await someOwner()
  for (const slot of ['openai', 'openai:work', 'openai:home']) {
    // oxlint-disable-next-line no-await-in-loop -- the list has them in this order
    await put(slot, someKeyOf('good'), '?verify=false')
  }
  const listed = async (provider: string) => {
    const vault = exports.KeyVault({ props: { ...DESK, providers: [provider] } })
    const result = await vault.listSlots(userId)
    return result.ok && result.slots.map((slot) => slot.provider)
  }
  expect(await listed('openai')).toEqual(['openai', 'openai:work', 'openai:home'])
  expect(await listed('openai:work')).toEqual(['openai:work'])
})

it('takes any text for a slot', async () => {
  expect([await readSlot('a'), await readSlot(' ')]).toEqual(['a', ' '])
})

it.for([[''], [undefined], [null], [7], [10n], [true], [['a']], [{}], [Symbol('a')]])(
  'refuses %o for a slot',
  async ([value]) => {
    await expect(readSlot(value)).rejects.toThrow(refusal('invalid_argument'))
  },
)

it.for<[location: string, expected: string]>([
  ['/v1/next?a=1#b', 'https://azure.invalid/next?a=1#b'],
  ['next', 'https://azure.invalid/chat/next'],
  ['https:next', 'https://azure.invalid/chat/next'],
  ['https://my.openai.azure.com/v1/next', 'https://azure.invalid/next'],
  ['https://my.openai.azure.com/v1', 'https://my.openai.azure.com/v1'],
  ['https://my.openai.azure.com/v1/', 'https://azure.invalid/'],
  ['https://my.openai.azure.com/v10', 'https://my.openai.azure.com/v10'],
  ['/login', 'https://my.openai.azure.com/login'],
  ['//my.openai.azure.com/v1//evil.test', 'https://azure.invalid//evil.test'],
  ['https://my.openai.azure.com:444/v1/next', 'https://my.openai.azure.com:444/v1/next'],
  ['https://evil.test/v1/next', 'https://evil.test/v1/next'],
  ['https://', 'https://'],
])('shows callers the location %s as %s', ([location, expected]) => {
  const [root, base] = ['https://azure.invalid', 'https://my.openai.azure.com/v1']
  const target = `${base}/chat/one`
  expect(callersLocation(location, { root, base, target })).toBe(expected)
})
