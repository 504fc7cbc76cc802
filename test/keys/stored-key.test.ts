/** What a slot holds, and what its user may see of it. */

import { describe, expect, it } from 'vitest'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import {
  EMPTY,
  isKeyRow,
  joinCredential,
  openRow,
  requireOpen,
  splitCredential,
  summarize,
} from '../../src/keys/stored-key.ts'
import { rewrap } from '../../src/keys/rewrap.ts'
import { beginPass } from '../../src/keys/rewrap-pass.ts'
import { readSlot } from '../../src/keys/slots.ts'
import { openService } from '../../src/service.ts'
import { updateState, updateVerified, type KeyRow } from '../../src/store/api-keys.ts'
import { run } from '../../src/store/d1.ts'
import { env } from '../isolate.ts'
import { someKeyRow } from '../store/rows.ts'
import { ownerOf, recordLogs, someEncryptionKey } from '../support.ts'
import { someKeyOf, someOwner } from './key-owner.ts'

const SLOT = { userId: 'jane', provider: 'openai' }

/** A row that holds a sealed key, or something else. */
const rowOf = (sealed: string, kid: string): KeyRow =>
  someKeyRow({ ...SLOT, sealed, kid, revision: 7, status: 'active' })

const keyring = await createKeyring([crypto.getRandomValues(new Uint8Array(32))])

/** A row of this vault that `text` was sealed for. */
async function someRow(text: string): Promise<KeyRow> {
  const { sealed, kid } = await sealKey(keyring, SLOT, text)
  return rowOf(sealed, kid)
}

describe('the sealed text', () => {
  it.for<[text: string, apiKey: string, baseUrl: string | null]>([
    ['sk-1', 'sk-1', null],
    ['sk-1\0https://a.test/v1', 'sk-1', 'https://a.test/v1'],
  ])('the text %j is a key and its base URL', ([text, apiKey, baseUrl]) => {
    expect(joinCredential({ apiKey, baseUrl })).toBe(text)
    expect(splitCredential(text)).toEqual({ apiKey, baseUrl })
  })

  it.for([
    '',
    'sk 1',
    'sk-1\0',
    'sk-1\0rest-of-the-key',
    'sk-1\0http://a.test/v1',
    'sk-1\0https://a.test/v1\0',
    '\0https://a.test/v1',
  ])('the text %j is not a key', (text) => {
    expect(splitCredential(text)).toBeNull()
  })
})

describe('a row', () => {
  it('a row opens with its key and its base URL', async () => {
    const row = await someRow('sk-1\0https://a.test/v1')
    expect(await openRow(keyring, row)).toMatchObject({
      state: 'open',
      apiKey: 'sk-1',
      baseUrl: 'https://a.test/v1',
      status: 'active',
      row,
    })
  })

  it.for<[name: string, reason: string, change: Partial<KeyRow>]>([
    ['moved to another slot', 'does_not_open', { provider: 'acme' }],
    ['sealed under an unknown kid', 'key_id_not_in_keyring', { kid: '0123456789ab' }],
  ])('a row that was %s is unreadable: %s', async ([, reason, change]) => {
    const row = { ...(await someRow('sk-1')), ...change }
    expect(await openRow(keyring, row)).toEqual({ state: 'unreadable', reason, row })
  })

  it('a row whose text is not a key is unreadable', async () => {
    const row = await someRow('sk 1')
    expect(await openRow(keyring, row)).toEqual({ state: 'unreadable', reason: 'not_a_key', row })
  })

  it('a row of a user without a key holds no key', () => {
    expect([{ sealed: null }, {}, rowOf('v1.x', 'x')].map(isKeyRow)).toEqual([false, false, true])
  })

  it('refuses an empty slot and an unreadable key where a key is needed', async () => {
    const row = await someRow('sk-1')
    const open = await openRow(keyring, row)
    expect(requireOpen(open)).toBe(open)
    expect(() => requireOpen(EMPTY)).toThrow('no_api_key')
    const unreadable = { state: 'unreadable', reason: 'does_not_open', row } as const
    expect(() => requireOpen(unreadable)).toThrow('api_key_unreadable')
  })
})

describe('what a user sees of a key', () => {
  it.for<[apiKey: string, preview: string, last4: string | null]>([
    ['12345678', '****', null],
    ['123456789', '12345678...', null],
    ['1234567890123456789', '12345678...', null],
    ['12345678901234567890', '12345678...', '7890'],
    ['😀😀😀😀😀😀😀😀', '****', null],
    ['😀😀😀😀😀😀😀😀😀', '😀😀😀😀😀😀😀😀...', null],
  ])('the key %s is shown as %s, with its last 4: %s', ([apiKey, preview, last4]) => {
    const shown = summarize(rowOf('v1.x', 'x'), { apiKey, baseUrl: null })
    expect(shown).toMatchObject({ preview, last4, updatedAt: '2026-01-02T00:00:00.000Z' })
  })

  it('the log and the plain route have no last 4 characters of a key', async () => {
    const logs = recordLogs()
    const { put, get, putPlain, getPlain } = await someOwner()
    const key = 'sk-good-0123456-Qx7Z'
    const last4 = key.slice(-4)
    await put('openai', key, '?verify=false')
    expect((await get('openai')).body).toMatchObject({ api_key_last4: last4 })
    expect(logs.text()).not.toContain(last4)
    await putPlain(key)
    expect((await getPlain()).body).not.toHaveProperty('api_key_last4')
  })
})

describe('the tag of a key', () => {
  type Change = (owner: Awaited<ReturnType<typeof someOwner>>) => Promise<unknown>

  /** Whether a key of the plain route has the same tag and the same identity after the change. */
  async function keptBy(change: Change) {
    const owner = await someOwner()
    await owner.putPlain(someKeyOf('good'))
    const read = async () =>
      env.DB.prepare(
        "SELECT identity, identity || '.' || revision AS tag FROM api_keys WHERE user_id = ?1",
      )
        .bind(owner.userId)
        .first<{ identity: string; tag: string }>()
    const before = await read()
    await change(owner)
    const after = await read()
    return { tag: before?.tag === after?.tag, identity: before?.identity === after?.identity }
  }

  it.for<[name: string, kept: { tag: boolean; identity: boolean }, change: Change]>([
    ['a look', { tag: true, identity: true }, async ({ getPlain }) => getPlain()],
    [
      'a use',
      { tag: true, identity: true },
      async ({ bound, userId }) => bound(async (vault) => vault.getDecryptedApiKey(userId)),
    ],
    [
      'a verdict',
      { tag: true, identity: true },
      async ({ userId }) => {
        const key = requireOpen(await readSlot(await ownerOf(userId), 'default'))
        const at = '2026-01-01T00:00:00.000Z'
        await run(env.DB, updateVerified(key.row, { status: 'active', exhaustedAt: null, at }))
        await run(env.DB, updateState(key.row, { status: 'rejected', exhaustedAt: null, at }))
      },
    ],
    [
      'a reseal under a new encryption key',
      { tag: true, identity: true },
      async () => {
        const keys = [someEncryptionKey(), env.API_KEY_ENCRYPTION_KEY]
        const vault = { ...env, API_KEY_ENCRYPTION_KEY: keys.join(',') }
        const service = await openService(vault)
        await beginPass(service)
        await rewrap(service)
      },
    ],
    [
      'a change of nothing',
      { tag: true, identity: true },
      async ({ limit }) => limit('default', { callers: null }),
    ],
    [
      'a pause',
      { tag: false, identity: true },
      async ({ limit }) => limit('default', { paused: true }),
    ],
    [
      'another maximum',
      { tag: false, identity: true },
      async ({ limit }) => limit('default', { max_uses: { count: 5, per: 'day' } }),
    ],
    [
      'an assignment',
      { tag: false, identity: true },
      async ({ assign }) => assign('openai', '?verify=false'),
    ],
    [
      'another key',
      { tag: false, identity: false },
      async ({ putPlain }) => putPlain(someKeyOf('good')),
    ],
    [
      'the same key after a deletion',
      { tag: false, identity: false },
      async ({ remove, putPlain }) => {
        await remove('default')
        await putPlain(someKeyOf('good'))
      },
    ],
  ])('the tag and the identity stay after %s: %j', async ([, kept, change]) => {
    recordLogs()
    expect(await keptBy(change)).toEqual(kept)
  })
})
