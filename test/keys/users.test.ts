/** Each operation for a user whom the vault does not know, and for one without a key. */

import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { addUser, hasUser, removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { METHODS, REQUESTS, type Operation } from '../faults/operations.ts'
import { stateOf } from '../faults/state.ts'
import { ownerOf, recordLogs, someKey, someUser } from '../support.ts'

/** The codes of an operation for a user who does not exist, then with `AUTO_CREATE_USERS`, and without a key. */
const CODES: Record<string, [unknown: string, created: string, empty: string]> = {
  'the health': ['ok', 'ok', 'ok'],
  'the configuration': ['ok', 'ok', 'ok'],
  'a look at the plain route': ['user_not_found', 'ok', 'ok'],
  'a save at the plain route': ['user_not_found', 'ok', 'ok'],
  'a deletion at the plain route': ['user_not_found', 'ok', 'ok'],
  'the list': ['user_not_found', 'ok', 'ok'],
  'a look at a slot': ['user_not_found', 'ok', 'ok'],
  'a save': ['user_not_found', 'ok', 'ok'],
  'a save that is checked first': ['user_not_found', 'ok', 'ok'],
  'a save that the provider rejects': ['user_not_found', 'api_key_rejected', 'api_key_rejected'],
  'a save into a slot that has to be empty': ['user_not_found', 'ok', 'ok'],
  'a deletion': ['user_not_found', 'ok', 'ok'],
  'a pause': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a change of limits': ['user_not_found', 'no_api_key', 'no_api_key'],
  'another label': ['user_not_found', 'no_api_key', 'no_api_key'],
  'an assignment': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a check': ['user_not_found', 'ok', 'ok'],
  'the trail': ['user_not_found', 'ok', 'ok'],
  'the export of the trail': ['user_not_found', 'ok', 'ok'],
  'a use over the relay': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a use of a paused key over the relay': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a counted use over the relay': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a refused token': ['token_invalid', 'token_invalid', 'token_invalid'],
  'the export of a user': ['user_not_found', 'ok', 'ok'],
  'an export for a server': ['user_not_found', 'user_not_found', 'ok'],
  'an export in pages': ['user_not_found', 'ok', 'ok'],
  'the users': ['ok', 'ok', 'ok'],
  'an addition of a user': ['ok', 'ok', 'ok'],
  'a look at a user': ['user_not_found', 'user_not_found', 'ok'],
  'a removal of a user': ['ok', 'ok', 'ok'],
  'a look by support': ['user_not_found', 'user_not_found', 'ok'],
  'a list for support': ['user_not_found', 'user_not_found', 'ok'],
  'the trail for support': ['user_not_found', 'user_not_found', 'ok'],
  'a pause by support': ['user_not_found', 'user_not_found', 'no_api_key'],
  'a deletion by support': ['user_not_found', 'user_not_found', 'ok'],
  "an operator's save": ['user_not_found', 'user_not_found', 'ok'],
  "an operator's save that is checked first": ['user_not_found', 'user_not_found', 'ok'],
  fetchWithApiKey: ['user_not_found', 'no_api_key', 'no_api_key'],
  fetch: ['user_not_found', 'no_api_key', 'no_api_key'],
  getDecryptedApiKey: ['user_not_found', 'ok', 'ok'],
  createUser: ['ok', 'ok', 'ok'],
  'createUser of one who exists': ['ok', 'ok', 'ok'],
  deleteUser: ['ok', 'ok', 'ok'],
  hasUser: ['ok', 'ok', 'ok'],
  getUser: ['user_not_found', 'user_not_found', 'ok'],
  listUsers: ['ok', 'ok', 'ok'],
  saveKey: ['user_not_found', 'user_not_found', 'ok'],
  listSlots: ['user_not_found', 'user_not_found', 'ok'],
  listEvents: ['user_not_found', 'user_not_found', 'ok'],
  pauseKey: ['user_not_found', 'user_not_found', 'no_api_key'],
  deleteKey: ['user_not_found', 'user_not_found', 'ok'],
}

const OPERATIONS = [...REQUESTS, ...METHODS]
  .filter(({ vars }) => vars === undefined)
  .map((operation) => [operation.name, operation] as const)

/** The operations that may add a user with `AUTO_CREATE_USERS`. */
const SAVES = /^(?:a save(?! that the provider rejects)|createUser|an addition)/

type Case = [operation: string, user: string, code: string, vars: object, run: Operation['run']]

const UNKNOWN: Case[] = OPERATIONS.flatMap(([name, { run }]): Case[] => {
  const [unknown = '', created = ''] = CODES[name] ?? []
  const user = 'a user who does not exist'
  return [
    [name, user, unknown, { AUTO_CREATE_USERS: 'false' }, run],
    [name, `${user}, with AUTO_CREATE_USERS,`, created, { AUTO_CREATE_USERS: 'true' }, run],
  ]
})

it.for(UNKNOWN)('%s for %s answers %s', async ([name, , expected, vars, run]) => {
  recordLogs()
  const userId = `absent-${crypto.randomUUID()}`
  const { code } = await run(userId, { ...env, ...vars })
  expect(code).toBe(expected)
  const isSaved = SAVES.test(name) && expected === 'ok'
  expect(await hasUser(await ownerOf(userId))).toBe(isSaved)
})

const WITHOUT_KEY = OPERATIONS.map(
  ([name, { run }]) => [name, CODES[name]?.[2] ?? '', run] as const,
)

it.for(WITHOUT_KEY)('%s for a user without a key answers %s', async ([, expected, run]) => {
  recordLogs()
  const { code } = await run(await someUser(), { ...env })
  expect(code).toBe(expected)
})

it('addUser adds a user once, and removeUser deletes one once with all keys and events', async () => {
  const [service, userId] = [await openService(env), crypto.randomUUID()]
  expect(await hasUser({ service, userId })).toBe(false)
  expect([await addUser(service, userId), await addUser(service, userId)]).toEqual([true, false])
  expect(await hasUser({ service, userId })).toBe(true)
  await saveSlot({ service, userId }, 'openai', { apiKey: someKey(), verify: false })
  expect(await stateOf(userId)).toMatchObject({ keys: [{}], events: [{ event: 'saved' }] })
  expect([await removeUser(service, userId), await removeUser(service, userId)]).toEqual([
    true,
    false,
  ])
  expect(await stateOf(userId)).toMatchObject({ users: [], keys: [], events: [] })
  expect(await hasUser({ service, userId })).toBe(false)
})
