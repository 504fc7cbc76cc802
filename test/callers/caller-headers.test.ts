import { expect, it } from 'vitest'
import { placeKey, withoutCredentials } from '../../src/callers/caller-headers.ts'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { keyPlaces, provider } from '../../src/providers/provider.ts'
import { CREDENTIALS } from '../../src/shared/credential-headers.ts'

const KEY = 'sk-application'
const OPENAI = 'https://api.openai.com/v1/models?key=a'
const GEMINI = 'https://generativelanguage.googleapis.com/v1beta/models'

type Sent = Record<string, string>

/** Where the key goes: the URL, and the headers. */
function place(url: string, sent: Sent) {
  const placed = placeKey({ url, headers: new Headers(sent) }, KEY)
  return placed && { url: placed.url, headers: Object.fromEntries(placed.headers) }
}

it.for<[sent: Sent, headers: Sent]>([
  [{ Authorization: 'Bearer own' }, { authorization: `Bearer ${KEY}` }],
  [{ Authorization: 'bearer  own' }, { authorization: `bearer  ${KEY}` }],
  [{ Authorization: 'Key own' }, { authorization: `Key ${KEY}` }],
  [{ Authorization: 'Token own and more' }, { authorization: `Token ${KEY}` }],
  [{ Authorization: 'own' }, { authorization: KEY }],
  [{ 'X-Api-Key': 'own' }, { 'x-api-key': KEY }],
  [{ 'X-Goog-Api-Key': 'own' }, { 'x-goog-api-key': KEY }],
  [{ 'Api-Key': 'own' }, { 'api-key': KEY }],
  [{ 'X-Api-Key': 'own', Authorization: 'Bearer of a browser' }, { 'x-api-key': KEY }],
  [{ 'Api-Key': 'own', 'X-Api-Key': 'own', 'X-Goog-Api-Key': 'own' }, { 'x-goog-api-key': KEY }],
])('the application’s key takes the place of the key in %j', ([sent, headers]) => {
  const others = { accept: 'text/plain' }
  expect(place(OPENAI, { ...sent, ...others })).toEqual({
    url: OPENAI,
    headers: { ...headers, ...others },
  })
})

it('each built-in provider takes the key where it can be placed', () => {
  for (const [name, description] of Object.entries(BUILT_IN)) {
    for (const { header, scheme } of keyPlaces(provider.parse(description))) {
      const sent = { [header]: scheme === undefined ? 'own' : `${scheme} own` }
      const headers = { [header.toLowerCase()]: scheme === undefined ? KEY : `${scheme} ${KEY}` }
      expect({ name, placed: place(OPENAI, sent) }).toMatchObject({ name, placed: { headers } })
    }
  }
})

it('Gemini gets the key in the query if the request has one there', () => {
  expect(place(`${GEMINI}?alt=sse&key=own`, { 'X-Goog-Api-Key': 'own', Cookie: 'a=b' })).toEqual({
    url: `${GEMINI}?alt=sse&key=${KEY}`,
    headers: {},
  })
  const parameters = Object.entries(BUILT_IN).flatMap(([name, { parameter }]) =>
    parameter === undefined ? [] : [[name, parameter]],
  )
  expect(parameters).toEqual([['gemini', 'key']])
})

it.for<[reason: string, url: string, sent: Sent]>([
  ['has no key of its own', OPENAI, { Accept: '*/*' }],
  ['has only a cookie', OPENAI, { Cookie: 'a=b' }],
  ['has a key in the query that is not Gemini’s', 'https://storage.googleapis.com/a?key=b', {}],
  ['is not encrypted', 'http://api.openai.com/v1', { Authorization: 'Bearer own' }],
  ['has a password in its URL', 'https://a:b@api.openai.com/v1', { Authorization: 'Bearer own' }],
  ['is for an address per user', 'https://azure-openai.invalid/v1', { 'Api-Key': 'own' }],
])('no key goes with a request that %s', ([, url, sent]) => {
  expect(place(url, sent)).toBe(null)
})

it('no credential and no header of the vault goes on', () => {
  const names = [...CREDENTIALS, 'Host', 'X-Vault-User', 'x-vault-anything']
  const sent = new Headers(names.map((name) => [name, 'own']))
  sent.set('User-Agent', 'kept')
  expect([...withoutCredentials(sent)]).toEqual([['user-agent', 'kept']])
})
