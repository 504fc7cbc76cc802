/** What the schemas tell apart. test/contract.ts compares each answer of the app with its schema. */

import { expect, it } from 'vitest'
import type * as z from 'zod/mini'
import {
  errorAnswer,
  event,
  keyAnswer,
  listedAnswer,
  savedSlotAnswer,
  slotAnswer,
  verifyAnswer,
} from '../../src/shared/answers.ts'

const AT = '2026-11-25T12:00:00.000Z'
const TAG = { etag: '"0123abcd.1"' }
const KEY = { api_key_preview: 'sk-12345...', api_key_updated_at: AT, ...TAG }
const OPEN = { has_api_key: true, ...KEY }
const ERROR = { has_api_key: false, error: 'Invalid encrypted key' }
const SLOT_KEY = { ...KEY, status: 'active', last_used_at: null, last_verified_at: null }
const SLOT = { has_api_key: true, provider: 'openai', ...SLOT_KEY }
const EMPTY = { has_api_key: false, provider: 'openai' }
const UNREADABLE = { ...EMPTY, ...ERROR, ...TAG, reason: 'cannot_be_decrypted' }
const LABEL = { label: 'OpenAI', key_page: null, key_prefixes: ['sk-'] }
const LISTED = { ...SLOT, ...LABEL }
const EVENT = { id: `${AT}.a`, provider: 'openai', event: 'saved', by: 'owner', at: AT }
const SAVED = {
  message: 'API key updated successfully',
  user_id: 'user',
  user: { id: 'user', ...SLOT },
}

type Row = [name: string, schema: z.ZodMiniType, body: object]

const ACCEPTED: Row[] = [
  ['an empty key', keyAnswer, { has_api_key: false }],
  ['a key', keyAnswer, OPEN],
  ['an unreadable key', keyAnswer, { ...ERROR, ...TAG }],
  ['an empty slot', slotAnswer, EMPTY],
  ['a slot', slotAnswer, SLOT],
  ['a slot with all limits', slotAnswer, { ...SLOT, paused_at: AT, callers: [], expires_at: AT }],
  ['a limit of uses', slotAnswer, { ...SLOT, max_uses: { count: 1, per: 'day', used: 0 } }],
  ['an unreadable slot', slotAnswer, UNREADABLE],
  ['an empty listed slot', listedAnswer, { ...EMPTY, ...LABEL }],
  ['a listed slot whose key is in another one', listedAnswer, { ...LISTED, same_key_in: ['groq'] }],
  ['a listed slot of a removed provider', listedAnswer, { ...LISTED, label: null }],
  ['a verified slot', verifyAnswer, { ...SLOT, verdict: 'unknown' }],
  ['a verified slot that is empty', verifyAnswer, { ...EMPTY, verdict: null }],
  ['a saved slot', savedSlotAnswer, SAVED],
  ['a saved key that is in another slot', savedSlotAnswer, savedWith({ same_key_in: ['groq'] })],
  ['an event', event, EVENT],
  ['a sum', event, { ...EVENT, event: 'used', by: 'caller', last_at: AT, count: 2, errors: 1 }],
  ['an error', errorAnswer, { error: 'Not found', code: 'not_found' }],
]

const REFUSED: Row[] = [
  ['a key with an error', keyAnswer, { ...OPEN, error: 'no' }],
  ['a key without its preview', keyAnswer, { ...OPEN, api_key_preview: undefined }],
  ['a key without its tag', keyAnswer, { ...OPEN, etag: undefined }],
  ['an unreadable key without its tag', keyAnswer, ERROR],
  ['a key saved at no time', keyAnswer, { ...OPEN, api_key_updated_at: 'now' }],
  ['a slot without a provider', slotAnswer, { has_api_key: false }],
  ['a slot with an unknown status', slotAnswer, { ...SLOT, status: 'good' }],
  ['a limit of uses for a year', slotAnswer, withUses({ count: 1, per: 'year', used: 0 })],
  ['half a use', slotAnswer, withUses({ count: 0.5, per: 'day', used: 0 })],
  ['a pause of null', slotAnswer, { ...SLOT, paused_at: null }],
  ['an unreadable slot without a reason', slotAnswer, { ...UNREADABLE, reason: undefined }],
  ['an unreadable slot with a key', slotAnswer, { ...UNREADABLE, has_api_key: true }],
  ['a listed slot without a label', listedAnswer, SLOT],
  ['a verified slot without a verdict', verifyAnswer, SLOT],
  ['a saved key that is in one text', savedSlotAnswer, savedWith({ same_key_in: 'groq' })],
  ['an unknown event', event, { ...EVENT, event: 'stolen' }],
  ['an event by nobody', event, { ...EVENT, by: 'nobody' }],
  ['an error with an unknown code', errorAnswer, { error: 'Not found', code: 'lost' }],
]

function savedWith(fields: object) {
  return { ...SAVED, user: { ...SAVED.user, ...fields } }
}

function withUses(max_uses: object) {
  return { ...SLOT, max_uses }
}

it.for(ACCEPTED)('accepts %s as an answer', ([, schema, body]) => {
  expect(schema.safeParse(body)).toEqual({ success: true, data: body })
})

it.for(REFUSED)('refuses %s as an answer', ([, schema, body]) => {
  expect(schema.safeParse(body).success).toBe(false)
})
