/** Tokens of flask-jwt-extended. */

import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isInstalled } from '../installed.ts'
import { startDirectVault } from './direct-vault.ts'
import { mintFlaskTokens, type FlaskTokens } from './flask.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2_048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

describe.runIf(isInstalled('flask_jwt_extended'))('flask-jwt-extended', () => {
  let vault: Awaited<ReturnType<typeof startDirectVault>>
  let tokens: Record<'text' | 'number' | 'claim' | 'rs256', FlaskTokens>

  beforeAll(async () => {
    const moved = { JWT_PUBLIC_KEY: publicKey, JWT_HEADER_NAME: 'X-Token' }
    const copies = {
      other: { JWT_IDENTITY_CLAIM: 'identity' },
      public: { ...moved, JWT_SECRET_KEY: '' },
      both: moved,
    }
    vault = await startDirectVault({}, { copies })
    await vault.sql("INSERT INTO users (id) VALUES ('7')")
    const { secret } = vault
    const minted = mintFlaskTokens([
      { secret, identity: 'user' },
      { secret, identity: 7 },
      { secret, identity: 'user', claim: 'identity' },
      { secret, identity: 'user', private_key: privateKey },
    ])
    const [text, number, claim, rs256] = minted
    if (!text || !number || !claim || !rs256) throw new Error('There are too few tokens')
    tokens = { text, number, claim, rs256 }
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

  it('a vault with the public key accepts the tokens of RS256, and beside a secret both', async () => {
    const ask = async (name: string, token: string) => {
      const url = new URL('/api/users/user/api-key', await vault.urlOf(name))
      return (await fetch(url, { headers: { 'X-Token': token } })).status
    }
    const { text, rs256 } = tokens
    expect([await ask('public', rs256.access), await ask('public', text.access)]).toEqual([
      200, 401,
    ])
    expect([await ask('both', rs256.access), await ask('both', text.access)]).toEqual([200, 200])
    expect([await ask('both', rs256.refresh), await ask('both', text.refresh)]).toEqual([401, 401])
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
