import { describe, expect, it } from 'vitest'
import type { ShownSlot } from '../../../src/page/element/slot.ts'
import {
  assignKey,
  deleteKey,
  fetchSlots,
  patchKey,
  putKey,
  verifyKey,
  type Call,
} from '../../../src/page/element/vault-client.ts'
import { BILLING_PAGE, ETAG, goneSlot, labelled, plainSlot, someKey, someSlot } from './shown.ts'
import { refuse, someCall, standForVault } from './vault.ts'

const SAVED_AT = '2026-06-14T12:00:00.000Z'
/** Of the key after a change of its owner. */
const LATER = '"0123abcd.2"'

/** The least that the vault says of a stored key. */
const STORED = {
  has_api_key: true,
  provider: 'openai',
  api_key_preview: 'sk-good-...',
  api_key_updated_at: SAVED_AT,
  etag: ETAG,
  status: 'active',
  last_used_at: null,
  last_verified_at: null,
}
const KEY = someKey()
const slot = someSlot({ key: KEY })
const groq = someSlot({ name: 'groq', provider: 'Groq' })

const save = (call: Call, to: ShownSlot = slot) =>
  putKey(call, to, { apiKey: 'sk-1', verify: true })
const saved = (fields: object = {}) => Response.json({ user: { ...STORED, ...fields } })

describe('requests', () => {
  const REQUESTS: [
    what: string,
    send: (call: Call) => Promise<unknown>,
    answer: () => Response,
    sent: { path: string; body?: unknown },
  ][] = [
    [
      'the list',
      fetchSlots,
      () => Response.json({ api_keys: [] }),
      { path: 'GET /api/users/user-1/api-keys' },
    ],
    [
      'a key to save',
      save,
      saved,
      { path: 'PUT /api/users/user-1/api-keys/openai', body: { api_key: 'sk-1' } },
    ],
    [
      'a key to save unchecked, with all that is entered',
      (call) =>
        putKey(call, slot, {
          apiKey: 'sk-1',
          baseUrl: 'https://own.test/v1',
          expiresAt: '2027-06-14T12:00:00.000Z',
          verify: false,
        }),
      saved,
      {
        path: 'PUT /api/users/user-1/api-keys/openai?verify=false',
        body: {
          api_key: 'sk-1',
          base_url: 'https://own.test/v1',
          expires_at: '2027-06-14T12:00:00.000Z',
        },
      },
    ],
    [
      'a move',
      (call) => assignKey(call, plainSlot(KEY), groq),
      () => Response.json(STORED),
      { path: 'POST /api/users/user-1/api-keys/groq/assign' },
    ],
    [
      'a deletion',
      (call) => deleteKey(call, slot),
      () => Response.json({}),
      { path: 'DELETE /api/users/user-1/api-keys/openai' },
    ],
    [
      'changed limits',
      (call) => patchKey(call, slot, { paused: true, max_uses: null }),
      () => Response.json(STORED),
      { path: 'PATCH /api/users/user-1/api-keys/openai', body: { paused: true, max_uses: null } },
    ],
    [
      'another label and place',
      (call) => patchKey(call, labelled('a/b'), { label: 'ワーク', position: 0 }),
      () => Response.json({ ...STORED, provider: 'openai:ワーク' }),
      {
        path: 'PATCH /api/users/user-1/api-keys/openai%3Aa%2Fb',
        body: { label: 'ワーク', position: 0 },
      },
    ],
    [
      'a test',
      (call) => verifyKey(call, slot),
      () => Response.json({ ...STORED, verdict: 'accepted' }),
      { path: 'POST /api/users/user-1/api-keys/openai/verify' },
    ],
  ]

  it.for(REQUESTS)(
    'the request for %s goes to its path',
    async ([, send, answer, { path, body }]) => {
      const vault = standForVault([answer()])
      await send(someCall().call)
      const { method, url, headers, body: given } = vault.last()
      expect(`${method} ${url}`).toBe(path.replace(' ', ' https://vault.test'))
      expect(given).toEqual(body)
      expect(headers['content-type']).toBe(body === undefined ? undefined : 'application/json')
    },
  )

  it.for(REQUESTS)(
    'the request for %s has its token in a header alone, and follows no redirect',
    async ([, send, answer]) => {
      const vault = standForVault([answer()])
      const { call, signal } = someCall()
      await send(call)
      const { url, headers, init } = vault.last()
      expect(headers['authorization']).toBe('Bearer token-1')
      expect(url).not.toMatch(/token-1|sk-1/)
      expect(init).toMatchObject({ credentials: 'omit', redirect: 'error', cache: 'no-store' })
      expect(init?.signal).toBe(signal)
    },
  )

  it.for([
    ['https://vault.test', 'users', 'user-1', 'https://vault.test/api/users/user-1/api-keys'],
    ['https://vault.test', 'teams', 'acme', 'https://vault.test/api/teams/acme/api-keys'],
    ['https://app.test/v/', 'users', 'auth0|1', 'https://app.test/v/api/users/auth0%7C1/api-keys'],
    ['', 'teams', '../a?b#c/d', '/api/teams/..%2Fa%3Fb%23c%2Fd/api-keys'],
  ] as const)(
    'the vault at "%s" is asked for one of the %s: %s',
    async ([baseUrl, kind, id, url]) => {
      const vault = standForVault([Response.json({ api_keys: [] })])
      await fetchSlots(someCall(['token-1'], { baseUrl, kind, id }).call)
      expect(vault.last().url).toBe(url)
    },
  )
})

it.for([
  ['a key of the provider', 'sk-0123456789'],
  ['over 40 characters', '𐐀'.repeat(41)],
] as const)('sends no label that is %s', async ([, label]) => {
  const vault = standForVault([])
  const problem = { name: 'Problem', code: 'label_invalid' }
  await expect(save(someCall().call, labelled(label, null))).rejects.toMatchObject(problem)
  expect(vault.asked()).toEqual([])
})

it('sends a label of 40 characters', async () => {
  const label = '𐐀'.repeat(40)
  standForVault([saved({ provider: `openai:${label}` })])
  await expect(save(someCall().call, labelled(label, null))).resolves.toMatchObject({ label })
})

describe('the slot as its user saw it', () => {
  const CHANGES: [what: string, change: (call: Call, seen: ShownSlot) => Promise<unknown>][] = [
    ['saved', save],
    ['deleted', deleteKey],
    ['changed', (call, seen) => patchKey(call, seen, { paused: true })],
  ]
  const SEEN = [
    ['with the key that was seen', KEY, ETAG, undefined],
    ['still empty', null, undefined, '*'],
    ['with the key that cannot be read', 'unreadable', ETAG, undefined],
    ['with the key that is unavailable', 'unavailable', ETAG, undefined],
  ] as const

  it.for(
    CHANGES.flatMap(([what, change]) =>
      SEEN.map(
        ([name, key, match, noneMatch]) => [what, name, change, key, match, noneMatch] as const,
      ),
    ),
  )('a key is %s only in a slot %s', async ([what, , change, key, match, noneMatch]) => {
    const answer = what === 'saved' ? saved() : Response.json(STORED)
    const vault = standForVault([answer])
    await change(someCall().call, someSlot({ key }))
    const { headers } = vault.last()
    expect([headers['if-match'], headers['if-none-match']]).toEqual([match, noneMatch])
  })
})

describe('answers', () => {
  const LABEL = {
    provider: 'openai',
    label: 'OpenAI',
    key_page: 'https://platform.openai.com/api-keys',
    billing_page: BILLING_PAGE,
    key_prefixes: ['sk-'],
  }
  const FAULT = { has_api_key: false, error: 'Invalid encrypted key', etag: ETAG }
  const list = async (...api_keys: object[]) => {
    standForVault([Response.json({ user_id: 'user-1', api_keys })])
    const { slots, shared } = await fetchSlots(someCall().call)
    expect(shared).toBeNull()
    return slots
  }

  it.for<[what: string, listed: object, key: ShownSlot['key']]>([
    ['an empty one', { has_api_key: false }, null],
    ['one with a key', STORED, KEY],
    ['an unreadable one', { ...FAULT, reason: 'cannot_be_decrypted' }, 'unreadable'],
    ['an unavailable one', { ...FAULT, reason: 'encryption_key_missing' }, 'unavailable'],
  ])('reads a slot of the list: %s', async ([, listed, key]) => {
    expect(await list({ ...listed, ...LABEL })).toEqual([someSlot({ key })])
  })

  it('reads the hosts of a slot, and slots without a provider', async () => {
    const none = { label: null, key_page: null, key_prefixes: [], has_api_key: false }
    const slots = await list(
      { ...LABEL, has_api_key: false, hosts: ['own.test'] },
      { ...none, provider: 'default' },
    )
    expect(slots).toEqual([someSlot({ hosts: ['own.test'] }), plainSlot()])
  })

  it('reads what the provider of a slot with a label is called', async () => {
    const gone = { label: 'work', key_page: null, key_prefixes: [], provider: 'gone:work' }
    const slots = await list(
      { ...LABEL, ...STORED, provider: 'openai:work', label: 'work', position: 0 },
      { ...LABEL, has_api_key: false },
      { ...gone, ...STORED, provider: 'gone:work' },
    )
    const removed = { ...goneSlot(KEY), name: 'gone:work', label: 'work' }
    expect(slots).toEqual([labelled('work', KEY), someSlot(), removed])
  })

  it('reads of which providers a team has keys, for a member who may know no more', async () => {
    const work = { provider: 'openai:work', label: 'work', has_api_key: true, status: 'active' }
    const openai = { provider: 'openai', label: 'OpenAI', has_api_key: true, status: 'active' }
    const empty = { provider: 'groq', label: 'Groq', has_api_key: false }
    standForVault([Response.json({ team_id: 'acme', api_keys: [work, openai, empty] })])
    const { call } = someCall(['token-1'], { kind: 'teams', id: 'acme' })
    expect(await fetchSlots(call)).toEqual({ slots: [], shared: ['OpenAI'] })
  })

  it('reads the key of a team that was saved', async () => {
    standForVault([Response.json({ team_id: 'acme', team: STORED })])
    expect(await save(someCall().call)).toEqual(slot)
  })

  it('reads the new name of a key', async () => {
    standForVault([Response.json({ ...STORED, provider: 'openai:work', etag: LATER })])
    const after = { ...labelled('work', KEY), etag: LATER }
    expect(await patchKey(someCall().call, slot, { label: 'work' })).toEqual(after)
  })

  it('reads all that the vault says of a key', async () => {
    const time = (day: number) => `2026-06-0${day}T12:00:00.000Z`
    const maxUses = { count: 5, per: 'day', used: 2 } as const
    standForVault([
      saved({
        api_key_last4: 'Qx7Z',
        saved_by: 'operator',
        status: 'rejected',
        condition: 'out_of_credit',
        condition_at: time(5),
        last_used_at: time(1),
        last_verified_at: time(2),
        expires_at: time(3),
        base_url: 'https://own.test/v1',
        paused_at: time(4),
        callers: ['binding:batch'],
        max_uses: maxUses,
        max_uses_per_member: { count: 2, per: 'month' },
        same_key_in: ['groq'],
      }),
    ])
    const { key } = await save(someCall().call)
    expect(key).toEqual({
      preview: 'sk-good-...Qx7Z',
      status: 'rejected',
      exhaustedAt: time(5),
      savedAt: SAVED_AT,
      isFromOperator: true,
      usedAt: time(1),
      testedAt: time(2),
      expiresAt: time(3),
      isPaused: true,
      callers: ['binding:batch'],
      maxUses,
      maxUsesPerMember: { count: 2, per: 'month' },
      sameIn: ['groq'],
      baseUrl: 'https://own.test/v1',
    })
  })

  it('reads the key that was moved, and the one whose limits have changed', async () => {
    const answer = { ...STORED, etag: LATER }
    standForVault([Response.json(answer), Response.json(answer)])
    const { call } = someCall()
    const after = { ...slot, etag: LATER }
    expect(await assignKey(call, plainSlot(KEY), someSlot())).toEqual(after)
    expect(await patchKey(call, slot, {})).toEqual(after)
  })

  it.for<[what: string, send: (call: Call, seen: ShownSlot) => Promise<ShownSlot>]>([
    ['moved', (call, seen) => assignKey(call, seen, someSlot())],
    ['limited', (call, seen) => patchKey(call, seen, {})],
    ['tested', async (call, seen) => (await verifyKey(call, seen)).tested],
  ])(
    'a key that was %s is still known to be in another slot, and a new one not',
    async ([, send]) => {
      const seen = someSlot({ key: someKey({ sameIn: ['groq'] }) })
      const replaced = { ...STORED, api_key_updated_at: '2026-06-14T12:00:00.001Z' }
      standForVault([Response.json(STORED), Response.json(replaced)])
      const { call } = someCall()
      expect((await send(call, seen)).key).toMatchObject({ sameIn: ['groq'] })
      expect((await send(call, seen)).key).toMatchObject({ sameIn: [] })
    },
  )

  it.for([
    ['accepted', { ...STORED, verdict: 'accepted' }, slot, 'accepted'],
    [
      'changed meanwhile',
      { ...STORED, etag: LATER, verdict: null },
      { ...slot, etag: LATER },
      null,
    ],
    ['deleted meanwhile', { has_api_key: false, verdict: null }, someSlot(), null],
  ] as const)('reads the verdict of a tested key: %s', async ([, answer, tested, verdict]) => {
    standForVault([Response.json(answer)])
    expect(await verifyKey(someCall().call, slot)).toEqual({ tested, verdict })
  })
})

describe('how long applications go on as before a change', () => {
  const LATE = { effective_within_s: 60 }
  type Change = (call: Call) => Promise<ShownSlot>

  it.for<[what: string, lag: number, change: Change, answer: object]>([
    ['a replacement', 60, save, { user: STORED, ...LATE }],
    ['a replacement that counts at once', 0, save, { user: STORED }],
    ["a replacement of a team's key", 60, save, { team: STORED, ...LATE }],
    ['a first key', 0, (call) => save(call, someSlot()), { user: STORED, ...LATE }],
    [
      'a key in the place of an unreadable one',
      0,
      (call) => save(call, someSlot({ key: 'unreadable', etag: ETAG })),
      { user: STORED, ...LATE },
    ],
    ['a deletion', 60, (call) => deleteKey(call, slot), LATE],
    ['a deletion that counts at once', 0, (call) => deleteKey(call, slot), {}],
    ['a pause', 60, (call) => patchKey(call, slot, { paused: true }), { ...STORED, ...LATE }],
    ['a pause that counts at once', 0, (call) => patchKey(call, slot, {}), STORED],
    [
      'a move to an empty slot',
      0,
      (call) => assignKey(call, plainSlot(KEY), someSlot({ lag: 60 })),
      { ...STORED, ...LATE },
    ],
    [
      'a test after a change',
      0,
      async (call) => (await verifyKey(call, { ...slot, lag: 60 })).tested,
      { ...STORED, verdict: 'accepted' },
    ],
  ])('after %s, it is %s seconds', async ([, lag, change, answer]) => {
    standForVault([Response.json(answer)])
    expect(await change(someCall().call)).toMatchObject({ lag })
  })

  it('a deleted key is gone from its slot', async () => {
    standForVault([Response.json(LATE)])
    const empty = { ...slot, key: null, etag: null, lag: 60 }
    expect(await deleteKey(someCall().call, slot)).toEqual(empty)
  })
})

it.for([
  ['the list', fetchSlots],
  ['a deletion', (call: Call) => deleteKey(call, slot)],
  ['changed limits', (call: Call) => patchKey(call, slot, {})],
  ['a move', (call: Call) => assignKey(call, plainSlot(KEY), groq)],
  ['a test', (call: Call) => verifyKey(call, slot)],
] as const)('a refusal of %s is a Problem with its code', async ([, send]) => {
  standForVault([refuse(412, 'changed_meanwhile')])
  const problem = { name: 'Problem', code: 'changed_meanwhile', requestId: 'request-1' }
  await expect(send(someCall().call)).rejects.toMatchObject(problem)
})
