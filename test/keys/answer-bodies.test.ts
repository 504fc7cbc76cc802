/** The bodies of answers: each value under its published name, and no field that says nothing. */

import { expect, it } from 'vitest'
import {
  describeSignIn,
  confirmDeletion,
  describeKey,
  describeListedSlot,
  confirmSave,
  describeSavedFields,
  describeSlot,
  describeSlotFields,
} from '../../src/keys/answer-bodies.ts'
import type { KeySummary, StoredKey, UnreadableKey } from '../../src/keys/stored-key.ts'
import { someKeyRow } from '../store/rows.ts'

const AT = '2026-11-25T12:00:00.000Z'
const ETAG = '"0123abcd.1"'
const LATER = '2026-11-25T12:59:00.000Z'

const SHORT: KeySummary = {
  preview: '****',
  last4: null,
  tag: '0123abcd.1',
  updatedAt: AT,
  savedBy: null,
  status: 'unverified',
  exhaustedAt: null,
  lastUsedAt: null,
  lastVerifiedAt: null,
  expiresAt: null,
  limits: { pausedAt: null, callers: null, maxUses: null, maxUsesPerMember: null },
  baseUrl: null,
}
const LIMITED: KeySummary = {
  ...SHORT,
  preview: 'sk-proj-...',
  last4: 'wxyz',
  status: 'active',
  lastUsedAt: LATER,
  lastVerifiedAt: AT,
  expiresAt: '2999-01-01T00:00:00.000Z',
  limits: {
    pausedAt: AT,
    callers: [],
    maxUses: { count: 100, per: 'day', used: 7 },
    maxUsesPerMember: null,
  },
  baseUrl: 'https://a.test',
}

const SHORT_FIELDS = {
  api_key_preview: '****',
  api_key_updated_at: AT,
  etag: ETAG,
  status: 'unverified',
  last_used_at: null,
  last_verified_at: null,
}
const LIMITED_FIELDS = {
  api_key_preview: 'sk-proj-...',
  api_key_last4: 'wxyz',
  api_key_updated_at: AT,
  etag: ETAG,
  status: 'active',
  last_used_at: LATER,
  last_verified_at: AT,
  expires_at: '2999-01-01T00:00:00.000Z',
  paused_at: AT,
  callers: [],
  max_uses: { count: 100, per: 'day', used: 7 },
  base_url: 'https://a.test',
}

const ROW = someKeyRow({ updatedAt: AT })
const OPEN: StoredKey = { state: 'open', ...SHORT, apiKey: 'sk-1', row: ROW }
const unreadable = (reason: UnreadableKey['reason']): StoredKey => ({
  state: 'unreadable',
  reason,
  row: ROW,
})
const ERROR = { has_api_key: false, error: 'Invalid encrypted key', etag: ETAG }

/** What is known of a provider that is not configured. */
const UNNAMED = { label: null, key_page: null, key_prefixes: [] }

it.for<[name: string, key: KeySummary, fields: object]>([
  ['a key without limits', SHORT, SHORT_FIELDS],
  ['a key with all limits', LIMITED, LIMITED_FIELDS],
])('shows the fields of %s', ([, key, fields]) => expect(describeSlotFields(key)).toEqual(fields))

it.for<[name: string, sameIn: string[], fields: object]>([
  ['no other slot', [], {}],
  ['other slots', ['acme', 'groq'], { same_key_in: ['acme', 'groq'] }],
])('shows that a saved and a listed key is in %s', ([, sameIn, fields]) => {
  expect(describeSavedFields({ ...SHORT, sameIn })).toEqual({ ...SHORT_FIELDS, ...fields })
  const slot = { name: 'openai', provider: null, position: 0 }
  const listed = { ...describeSlot('openai', OPEN), ...UNNAMED, position: 0, ...fields }
  expect(describeListedSlot({ ...slot, key: OPEN, sameIn })).toEqual(listed)
})

it.for<[name: string, key: StoredKey, plain: object, slot: object]>([
  ['an empty slot', { state: 'empty' }, { has_api_key: false }, {}],
  [
    'a slot with a key',
    OPEN,
    { has_api_key: true, api_key_preview: '****', api_key_updated_at: AT, etag: ETAG },
    SHORT_FIELDS,
  ],
  [
    'a key whose encryption key is missing',
    unreadable('key_id_not_in_keyring'),
    ERROR,
    { reason: 'encryption_key_missing' },
  ],
  ['a damaged key', unreadable('does_not_open'), ERROR, { reason: 'cannot_be_decrypted' }],
  ['a text that is not a key', unreadable('not_a_key'), ERROR, { reason: 'cannot_be_decrypted' }],
])('answers for %s on the plain route and in a slot', ([, key, plain, slot]) => {
  expect(describeKey(key)).toEqual(plain)
  expect(describeSlot('openai', key)).toEqual({ provider: 'openai', ...plain, ...slot })
})

it('lists a slot with what a form needs of its provider, and one without a provider', () => {
  const shared = { origin: 'https://api.acme.test', header: 'x-key', refusals: [] }
  const named = { label: 'Acme', key_page: 'https://acme.test/keys', key_prefixes: ['ak-'] }
  const key: StoredKey = { state: 'empty' }
  const rest = { position: null, key, sameIn: [] }
  const empty = { provider: 'acme', has_api_key: false }
  const listed = describeListedSlot({ name: 'acme', provider: { ...shared, ...named }, ...rest })
  expect(listed).toEqual({ ...empty, ...named })
  const hosts = ['*.acme.test']
  const own = describeListedSlot({
    name: 'acme',
    provider: { ...shared, label: 'Own', hosts },
    ...rest,
  })
  expect(own).toEqual({ ...empty, label: 'Own', key_page: null, key_prefixes: [], hosts })
  expect(describeListedSlot({ name: 'acme', provider: null, ...rest })).toEqual({
    ...empty,
    ...UNNAMED,
  })
})

it('lists a labelled slot with its label and its position', () => {
  const key: StoredKey = { state: 'empty' }
  const slot = { name: 'acme:お仕事', provider: null, position: 2, key, sameIn: [] }
  const listed = { provider: 'acme:お仕事', label: 'お仕事', position: 2, has_api_key: false }
  expect(describeListedSlot(slot)).toEqual({ ...UNNAMED, ...listed })
})

it('answers a save and a deletion with the user', () => {
  expect(confirmSave('user', SHORT_FIELDS)).toEqual({
    message: 'API key updated successfully',
    user_id: 'user',
    user: { id: 'user', has_api_key: true, ...SHORT_FIELDS },
  })
  const nothing = { has_api_key: false, api_key_preview: null, api_key_updated_at: null }
  expect(confirmDeletion('user', { provider: 'openai' })).toEqual({
    message: 'API key deleted successfully',
    user_id: 'user',
    user: { id: 'user', ...nothing, provider: 'openai' },
  })
})

it('shows what the page signs users in with, or null', () => {
  expect(describeSignIn(null)).toEqual({ oidc: null })
  const signIn = { issuer: 'https://id.test', clientId: 'page', scope: 'openid', audience: null }
  const { clientId: client_id, ...others } = signIn
  expect(describeSignIn(signIn)).toEqual({ oidc: { ...others, client_id } })
})
