import { describe, expect, it } from 'vitest'
import { call, mintToken, putKey, someKey, someUser, storedKey } from '../support.ts'

/** The status of GET and PUT at exactly this path, with a token for `sub`. */
async function statuses(sub: string, segment: string): Promise<number[]> {
  const token = await mintToken({ sub })
  const path = `/api/users/${segment}/api-key`
  const get = await call('GET', path, { token })
  const put = await call('PUT', path, { token, body: { api_key: 'sk-stolen' } })
  return [get.status, put.status]
}

describe('the path of the token’s own user', () => {
  it.for([
    ['auth0|abc', 'auth0%7Cabc'],
    ['auth0|pipe', 'auth0|pipe'],
    ['a@b.c', 'a@b.c'],
    ['with space', 'with%20space'],
    ['%41', '%2541'],
    ['A', '%41'],
    ['one/slash', 'one%2Fslash'],
    ['two%2Fslash', 'two%252Fslash'],
    ['plus+plus', 'plus+plus'],
    ['...', '...'],
    ["' OR '1'='1", "'%20OR%20'1'='1"],
    ['"; DROP TABLE users; --', '%22;%20DROP%20TABLE%20users;%20--'],
    ['n\u0000ul', 'n%00ul'],
    ['caf\u00E9', 'caf%C3%A9'],
    ['cafe\u0301', 'cafe%CC%81'],
    ['😀', '%F0%9F%98%80'],
    ['日本', '日本'],
    ['x'.repeat(2_000), 'x'.repeat(2_000)],
  ] as const)('reaches the user %j', async ([userId, segment]) => {
    await someUser(userId)
    expect(await statuses(userId, segment)).toEqual([200, 200])
    expect(await storedKey(userId)).toBe('sk-stolen')
  })
})

describe('the path of another user', () => {
  it.for([
    ['A', 'a', 'another case'],
    ['%41', '%41', 'decoded once, and it is A'],
    ['A', '%2541', 'decoded once, and it is %41'],
    ['one/slash', 'one%252Fslash', 'double encoding'],
    ['caf\u00E9', 'cafe%CC%81', 'NFD for NFC'],
    ['cafe\u0301', 'caf%C3%A9', 'NFC for NFD'],
    ['a@b.c', 'a@b.c%20', 'a trailing space'],
    ['a@b.c', 'a@b.c%00', 'a trailing NUL'],
    ['a@b.c', '%EF%BB%BFa@b.c', 'a BOM'],
    ['plus plus', 'plus+plus', 'a plus for a space'],
    ['\uFFFD', '%FF', 'bytes that are not UTF-8'],
  ] as const)('is refused to the token of %j at %s: %s', async ([sub, segment]) => {
    expect(await statuses(sub, segment)).toEqual([403, 403])
  })

  it.for(['..', '%2e%2e', '.', 'a/b', '%2e%2e%2fadmin/..'])(
    'answers 404 for %s, which is not a user id',
    async (path) => {
      const [get] = await statuses('admin', path)
      expect(get).toBe(404)
    },
  )

  it('does not change the other user’s key', async () => {
    const [owner, apiKey] = [await someUser(), someKey()]
    await putKey(owner, apiKey)
    expect(await statuses(await someUser(), encodeURIComponent(owner))).toEqual([403, 403])
    expect(await storedKey(owner)).toBe(apiKey)
  })
})
