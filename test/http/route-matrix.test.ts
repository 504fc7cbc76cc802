/** Each route lets in exactly the tokens that the table says, and reads nothing for another one. */

import { expect, it } from 'vitest'
import { namesIn } from '../../src/shared/json.ts'
import { ROUTES } from '../../src/shared/routes.ts'
import { call, mintToken, someUser } from '../support.ts'
import { answersTo, isolateWith, LINES, LISTED, ROWS, SCOPES } from './route-matrix.ts'

/** The slow test has each scope for each sender. This one has a server's, and for the others none and all. */
const SAMPLE = /scope "(?:|vault:users .*|own)"$/
const isQuick = (sender: string, vault: string) =>
  SAMPLE.test(sender) || (vault === 'servers' && /^a server with |^(?!.* scope ")/.test(sender))

it.for(ROWS.filter(([sender, vault]) => isQuick(sender, vault)))(
  '%s gets what the table says, in a vault with %s',
  async (row) => {
    const { answered, expected } = await answersTo(row)
    expect(answered).toEqual(expected)
  },
)

it('the table has a line for each route of users', () => {
  const guarded = namesIn(ROUTES).filter((id) => ROUTES[id].path.startsWith('/api/users'))
  expect(namesIn(LINES).toSorted()).toEqual(guarded.toSorted())
})

it.for(SCOPES)('the scope "%s" does not open the relay', async (scope) => {
  const codes = []
  for (const user of [{ sub: await someUser() }, {}]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is quick enough
    const token = await mintToken({ client_id: 'flask-app', scope, ...user })
    // oxlint-disable-next-line no-await-in-loop
    const response = await call('GET', '/relay/openai/v1/models', { token })
    codes.push(response.headers.get('X-Vault-Error'))
  }
  expect(codes).toEqual(['scope_missing', 'token_invalid'])
})

it('takes a token that it knows as the owner’s for its user, and as a server’s for others', async () => {
  const [owner, other] = [await someUser(), await someUser()]
  const token = await mintToken({ ...LISTED, sub: owner, scope: 'vault:support' })
  const ask = isolateWith()
  expect(await ask('verifySlot', owner, token)).toBe('200')
  expect(await ask('getKey', other, token)).toBe('200')
  expect(await ask('verifySlot', other, token)).toBe('403 not_your_own, without D1')
  expect(await ask('saveKey', owner, token)).toBe('200')
  expect(await ask('saveKey', other, token)).toBe('403 scope_missing, without D1')
})
