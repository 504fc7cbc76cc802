/** Each operation for a user whom the vault does not know, and for one without a key. */

import { emptyVault, env } from '../isolate.ts'
import { beforeAll, describe, expect, it } from 'vitest'
import { METHODS, ROUTES } from '../faults/operations.ts'
import { stateOf } from '../faults/state.ts'
import { recordLogs, someUser } from '../support.ts'

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
  'an assignment': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a check': ['user_not_found', 'ok', 'ok'],
  'the trail': ['user_not_found', 'ok', 'ok'],
  'the export of the trail': ['user_not_found', 'ok', 'ok'],
  'a use over the relay': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a use of a paused key over the relay': ['user_not_found', 'no_api_key', 'no_api_key'],
  'a refused token': ['token_invalid', 'token_invalid', 'token_invalid'],
  fetchWithApiKey: ['user_not_found', 'no_api_key', 'no_api_key'],
  fetch: ['user_not_found', 'no_api_key', 'no_api_key'],
  getDecryptedApiKey: ['user_not_found', 'ok', 'ok'],
  createUser: ['ok', 'ok', 'ok'],
  deleteUser: ['ok', 'ok', 'ok'],
  hasUser: ['ok', 'ok', 'ok'],
  listSlots: ['user_not_found', 'ok', 'ok'],
  listEvents: ['user_not_found', 'ok', 'ok'],
  pauseKey: ['user_not_found', 'no_api_key', 'no_api_key'],
  deleteKey: ['user_not_found', 'ok', 'ok'],
}

const OPERATIONS = [...ROUTES, ...METHODS]
  .filter(({ vars }) => vars === undefined)
  .map((operation) => [operation.name, operation] as const)

/** The operations that may add a user with `AUTO_CREATE_USERS`. */
const SAVES = /^(?:a save(?! that the provider rejects)|createUser)/

// The vault is not healthy while it holds keys of other tests, under encryption keys of their own.
beforeAll(emptyVault)

describe.for(OPERATIONS)('%s', ([name, { run }]) => {
  const codes = CODES[name] ?? []

  it.for([
    ['does not exist', { AUTO_CREATE_USERS: 'false' }, codes[0]],
    ['does not exist, with AUTO_CREATE_USERS', { AUTO_CREATE_USERS: 'true' }, codes[1]],
  ] as const)('for a user who %s', async ([, changes, expected]) => {
    recordLogs()
    const userId = `absent-${crypto.randomUUID()}`
    const { code } = await run(userId, { ...env, ...changes })
    expect(code).toBe(expected)
    const isSaved = SAVES.test(name) && expected === 'ok'
    expect((await stateOf(userId)).users).toHaveLength(isSaved ? 1 : 0)
  })

  it('for a user without a key', async () => {
    recordLogs()
    const { code } = await run(await someUser(), { ...env })
    expect(code).toBe(codes[2])
  })
})
