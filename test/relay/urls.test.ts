import { expect, it } from 'vitest'
import { completeUrl, relayText, relayUrl } from '../../src/relay/urls.ts'

const ROOT = 'https://vault.test:8443/relay/own'
const BASE = 'https://my.acme.test/v1'
const passage = { base: BASE, target: `${BASE}/chat/one?a=1`, root: ROOT }

it.for<[reference: string, there: string | null]>([
  ['https://my.acme.test/v1/next?b=2#c', `${ROOT}/next?b=2#c`],
  ['HTTPS://MY.ACME.TEST:443/v1/next', `${ROOT}/next`],
  ['https://my.acme.test/v1/', `${ROOT}/`],
  ['https://user:secret@my.acme.test/v1/next', `${ROOT}/next`],
  ['https://my.acme.test/v1/a/../next', `${ROOT}/next`],
  ['https://my.acme.test/v1//evil.test', `${ROOT}//evil.test`],
  ['wss://my.acme.test/v1/live', 'wss://vault.test:8443/relay/own/live'],
  ['/v1/next', '/relay/own/next'],
  ['//my.acme.test/v1/next', '/relay/own/next'],
  ['two', '/relay/own/chat/two'],
  ['?b=2', '/relay/own/chat/one?b=2'],
  ['', '/relay/own/chat/one?a=1'],
  ['https://my.acme.test/v1', null],
  ['https://my.acme.test/v10/next', null],
  ['https://my.acme.test/v1/../login', null],
  ['/login', null],
  ['../../login', null],
  ['http://my.acme.test/v1/next', null],
  ['ws://my.acme.test/v1/live', null],
  ['https://my.acme.test:444/v1/next', null],
  ['https://evil.test/v1/next', null],
  ['https:evil.test', null],
  ['//evil.test/v1/next', null],
  ['blob:https://my.acme.test/v1/next', null],
  ['data:,x', null],
  ['https://', null],
])('the reference %j leads to %j', ([reference, there]) => {
  expect(relayUrl(reference, passage)).toBe(there)
})

it('a provider on http leads to ws, and not to wss', () => {
  const local = { base: 'http://127.0.0.1:9', target: 'http://127.0.0.1:9/', root: ROOT }
  expect(relayUrl('ws://127.0.0.1:9/live', local)).toBe('wss://vault.test:8443/relay/own/live')
  expect(relayUrl('wss://127.0.0.1:9/live', local)).toBeNull()
})

it.for<[reference: string, complete: string]>([
  ['https://Evil.test', 'https://Evil.test'],
  ['/login', 'https://my.acme.test/login'],
  ['//evil.test', 'https://evil.test/'],
  ['https://[', 'https://['],
])('the reference %j is complete as %j', ([reference, complete]) => {
  expect(completeUrl(reference, passage)).toBe(complete)
})

it.for<[text: string, relayed: string | null]>([
  ['', ''],
  ['a text: 1', 'a text: 1'],
  [`see ${BASE}/a (or ${BASE}/b)`, `see ${ROOT}/a (or ${ROOT}/b)`],
  [`${BASE}/a?to=${BASE}/b`, null],
  [`${BASE}/a https://evil.test`, null],
  [`${BASE}/a|//evil.test`, null],
  ...['\u0001', '\u001f', '\u00a0', '[', '{', '`'].map((before): [string, null] => [
    `${before}//evil.test`,
    null,
  ]),
  ["//'", null],
  ['//"evil.test', null],
  ["https:'evil.test", null],
  ['ftp://evil.test', 'ftp://evil.test'],
  ['text/a//b', 'text/a//b'],
  [`${BASE}/a|${BASE}/b`, `${ROOT}/a|${ROOT}/b`],
])('the text %j is relayed as %j', ([text, relayed]) => {
  expect(relayText(text, passage)).toBe(relayed)
})
