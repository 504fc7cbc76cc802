import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  completeDevVars,
  findHiddenVars,
  mintDevToken,
  readDevVar,
} from '../../../scripts/lib/dev-vars.ts'
import { enterFolder } from '../run-script.ts'

let folder: ReturnType<typeof enterFolder>
beforeEach(() => {
  folder = enterFolder()
})
afterEach(() => folder.leave())

const BOTH = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY']
const read = () => readFileSync('.dev.vars', 'utf8')

it('makes the required secrets in a file that only its owner can read', () => {
  expect(completeDevVars(BOTH)).toEqual(BOTH)
  expect(read()).toMatch(/^API_KEY_ENCRYPTION_KEY=\S{43}=\nJWT_SECRET_KEY=[0-9a-f]{64}\n$/)
  expect(statSync('.dev.vars').mode & 0o777).toBe(0o600)
})

it('adds only the secret that the file lacks, and keeps the rest as it is', () => {
  const given = 'API_KEY_ENCRYPTION_KEY=mine\n# a comment\nOTHER=1'
  writeFileSync('.dev.vars', given)
  expect(completeDevVars(BOTH)).toEqual(['JWT_SECRET_KEY'])
  expect(read()).toMatch(new RegExp(`^${given}\nJWT_SECRET_KEY=[0-9a-f]{64}\n$`))
  const before = read()
  expect(completeDevVars(BOTH)).toEqual([])
  expect(read()).toBe(before)
})

it('makes no secret that is not required, and none that it cannot invent', () => {
  expect(completeDevVars(['LEGACY_FERNET_KEY'])).toEqual([])
  expect(readDevVar('JWT_SECRET_KEY')).toBeUndefined()
})

it('finds the names in the file that the Worker does not get', () => {
  writeFileSync('.dev.vars', 'JWT_SECRET_KEY=a\nLEGACY_FERNET_KEY=b\nCORS_ORIGINS=c\n')
  expect(findHiddenVars(['JWT_SECRET_KEY', 'CORS_ORIGINS'])).toEqual(['LEGACY_FERNET_KEY'])
})

it('signs a token as flask-jwt-extended does, which is valid for a day', async () => {
  completeDevVars(BOTH)
  const token = (await mintDevToken('ann', { scope: 'relay', client: 'flask-app' })) ?? ''
  const [, payload = ''] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const now = Math.floor(Date.now() / 1_000)
  expect(claims).toEqual({
    type: 'access',
    fresh: false,
    sub: 'ann',
    jti: expect.any(String),
    scope: 'relay',
    client_id: 'flask-app',
    iat: claims.nbf,
    nbf: expect.any(Number),
    exp: claims.nbf + 24 * 60 * 60,
  })
  expect(Math.abs(claims.nbf - now)).toBeLessThanOrEqual(1)
})

it('signs no token if the file has no secret for it', async () => {
  expect(await mintDevToken('ann')).toBeUndefined()
})
