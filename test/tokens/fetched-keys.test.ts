import { expect, it, vi } from 'vitest'
import { fetchKeys } from '../../src/tokens/fetched-keys.ts'

const URL_OF_KEYS = new URL('https://id.example.com/jwks')
/** RFC 8037, appendix A.2 */
const GOOD = {
  kty: 'OKP',
  crv: 'Ed25519',
  kid: 'good',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
}

const answerWith = (body: string, init?: ResponseInit) =>
  vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response(body, init))

it('returns the keys that verify tokens, and hands on why the others do not', async () => {
  answerWith(JSON.stringify({ keys: [{ kty: 'oct', kid: 'bad' }, GOOD] }))
  const dropped = vi.fn<(keys: object[]) => void>()
  const keys = await fetchKeys(URL_OF_KEYS, dropped)
  expect(keys.map(({ kid }) => kid)).toContain('good')
  expect(dropped).toHaveBeenCalledExactlyOnceWith([{ index: 0, kid: 'bad', reason: 'symmetric' }])
})

it.for<[body: string, init: ResponseInit, message: string]>([
  ['<h1>Sign in</h1>', {}, 'is not valid JSON'],
  ['{"keys": 1}', {}, 'JWT_JWKS_URL did not answer with a key set'],
  ['{"keys": []}', {}, 'JWT_JWKS_URL has no key that verifies a token'],
  ['', { status: 404 }, 'JWT_JWKS_URL answered with status 404'],
])('refuses the answer %j', async ([body, init, message]) => {
  answerWith(body, init)
  await expect(fetchKeys(URL_OF_KEYS, () => {})).rejects.toThrow(message)
})
