/** Tokens of flask-jwt-extended. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isInstalled } from '../installed.ts'
import { startDirectVault } from './direct-vault.ts'
import { mintFlaskTokens, type FlaskTokens } from './flask.ts'

describe.runIf(isInstalled('flask_jwt_extended'))('flask-jwt-extended', () => {
  let vault: Awaited<ReturnType<typeof startDirectVault>>
  let tokens: Record<'text' | 'number' | 'claim', FlaskTokens>

  beforeAll(async () => {
    vault = await startDirectVault({}, { copies: { other: { JWT_IDENTITY_CLAIM: 'identity' } } })
    await vault.sql("INSERT INTO users (id) VALUES ('7')")
    const { secret } = vault
    const minted = mintFlaskTokens([
      { secret, identity: 'user' },
      { secret, identity: 7 },
      { secret, identity: 'user', claim: 'identity' },
    ])
    const [text, number, claim] = minted
    if (!text || !number || !claim) throw new Error('There are too few tokens')
    tokens = { text, number, claim }
  })
  afterAll(async () => vault.close())

  const get = async (token: string, userId = 'user', url = vault.url) => {
    const headers = { Authorization: `Bearer ${token}` }
    return fetch(new URL(`/api/users/${userId}/api-key`, url), { headers })
  }

  it('an access token of flask-jwt-extended is accepted', async () => {
    expect((await get(tokens.text.access)).status).toBe(200)
  })

  it('an access token of flask-jwt-extended is accepted for an integer identity', async () => {
    const { access } = tokens.number
    const [, claims = ''] = access.split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ sub: 7 })
    expect((await get(access, '7')).status).toBe(200)
  })

  it('a vault with another identity claim accepts the tokens with this claim alone', async () => {
    const other = await vault.urlOf('other')
    expect((await get(tokens.claim.access, 'user', other)).status).toBe(200)
    expect((await get(tokens.text.access, 'user', other)).status).toBe(401)
  })

  it('a refresh token of flask-jwt-extended is refused', async () => {
    const response = await get(tokens.text.refresh)
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({
      code: 'token_invalid',
      detail: 'Its "type" is not "access": send the access token, not an ID or refresh token.',
    })
  })
})
