/** The tag of a slot, and what a change may ask of the slot. */

import { beforeEach, describe, expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { isNotMoved, run, runBatch } from '../../src/store/d1.ts'
import { checkSlot, tagOf, type Condition } from '../../src/store/slot-check.ts'
import { env } from '../isolate.ts'

const TAG = 'one.3'

/** A user with a key in two slots, one with a key for OpenAI alone, and one without a key. */
beforeEach(async () => {
  const addUser = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  const addKey = env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, identity, revision)
     VALUES (?1, ?2, 'v1.x', 'x', ?3, ?4)`,
  )
  await env.DB.batch([
    env.DB.prepare('DELETE FROM users'),
    ...['jane', 'mary', 'empty'].map((userId) => addUser.bind(userId)),
    addKey.bind('jane', 'default', 'two', 1),
    addKey.bind('jane', 'openai', 'one', 3),
    addKey.bind('mary', 'openai', 'three', 1),
  ])
})

const slotOf = (userId: string, provider: string, takesDefault = false) => ({
  userId,
  provider,
  takesDefault,
})

it('a tag is the identity with the revision', () => {
  expect(tagOf({ identity: 'one', revision: 3 })).toBe(TAG)
})

it.for<[userId: string, provider: string, found: object[]]>([
  ['jane', 'openai', [{ tag: TAG }]],
  ['jane', 'default', [{ tag: 'two.1' }]],
  ['jane', 'acme', [{ tag: null }]],
  ['empty', 'openai', [{ tag: null }]],
  ['nobody', 'openai', []],
])('finds for %s in the slot %s the tag %j', async ([userId, provider, found]) => {
  const { results } = await run(env.DB, checkSlot(slotOf(userId, provider)))
  expect(results).toMatchObject(found)
  expect(results).toHaveLength(found.length)
})

type Outcome = 'holds' | 'fails'

const outcomeOf = async (condition: Condition | null, provider: string): Promise<Outcome> =>
  run(env.DB, checkSlot(slotOf('jane', provider), condition)).then(
    () => 'holds',
    (error: unknown) => {
      expect(VaultError.from(error).code).toBe('changed_meanwhile')
      return 'fails'
    },
  )

it.for<[outcome: Outcome, slot: string, condition: Condition | null]>([
  ['holds', 'acme', null],
  ['holds', 'openai', { kind: 'present' }],
  ['fails', 'acme', { kind: 'present' }],
  ['holds', 'acme', { kind: 'empty' }],
  ['fails', 'openai', { kind: 'empty' }],
  ['holds', 'openai', { kind: 'tagged', tags: ['other.1', TAG] }],
  ['fails', 'openai', { kind: 'tagged', tags: ['one.2', 'one.4', 'one'] }],
  ['fails', 'openai', { kind: 'tagged', tags: [] }],
  ['fails', 'openai', { kind: 'tagged', tags: [null] }],
  ['holds', 'acme', { kind: 'tagged', tags: [null] }],
  ['fails', 'acme', { kind: 'tagged', tags: [''] }],
  ['fails', 'acme', { kind: 'tagged', tags: [TAG] }],
])('%s in the slot %s: %j', async ([outcome, slot, condition]) => {
  expect(await outcomeOf(condition, slot)).toBe(outcome)
})

it.for<[condition: Condition, slot: string, detail: string]>([
  [{ kind: 'present' }, 'acme', 'The slot has no API key.'],
  [{ kind: 'empty' }, 'openai', 'The slot has an API key already.'],
  [
    { kind: 'tagged', tags: ['x'] },
    'openai',
    'Another change came in between: read the slot again.',
  ],
])('the refusal of %j says why', async ([condition, slot, detail]) => {
  const check = run(env.DB, checkSlot(slotOf('jane', slot), condition))
  await expect(check).rejects.toMatchObject({ code: 'changed_meanwhile', detail })
})

it('a condition does not fail for a user who does not exist', async () => {
  const check = run(env.DB, checkSlot(slotOf('nobody', 'openai'), { kind: 'present' }))
  await expect(check).resolves.toMatchObject({ results: [] })
})

it('a condition that fails keeps its whole batch from being done', async () => {
  const batch = runBatch(env.DB, [
    { sql: "UPDATE api_keys SET status = 'active'", values: [] },
    checkSlot(slotOf('jane', 'openai'), { kind: 'empty' }),
  ])
  await expect(batch).rejects.toMatchObject({ code: 'changed_meanwhile' })
  const active = env.DB.prepare("SELECT count(*) AS n FROM api_keys WHERE status = 'active'")
  expect(await active.first('n')).toBe(0)
})

describe('a slot that takes the key of the plain route', () => {
  const answerFor = async (userId: string) =>
    run(env.DB, checkSlot(slotOf(userId, 'openai', true))).then(
      ({ results }) => results.map(({ tag }) => tag),
      (error: unknown) => (isNotMoved(error) ? 'not moved' : VaultError.from(error).code),
    )

  it.for([
    ['jane', 'not moved'],
    ['mary', ['three.1']],
    ['empty', [null]],
    ['nobody', []],
  ] as const)('answers for %s: %j', async ([userId, expected]) => {
    expect(await answerFor(userId)).toEqual(expected)
  })

  it.for<[condition: Condition]>([
    [{ kind: 'tagged', tags: ['two.1'] }],
    [{ kind: 'present' }],
    [{ kind: 'empty' }],
  ])(
    'asks for the move before the condition %j, which may be about that key',
    async ([condition]) => {
      const slot = { userId: 'jane', provider: 'acme', takesDefault: true }
      const check = run(env.DB, checkSlot(slot, condition))
      expect(isNotMoved(await check.catch((error: unknown) => error))).toBe(true)
    },
  )
})
