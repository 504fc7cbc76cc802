import { expect, it } from 'vitest'
import { readToken } from '../../../scripts/import/token.ts'
import recorded from '../../import/vectors/python-cryptography-fernet.json' with { type: 'json' }

const [TOKEN = '', OTHER = ''] = recorded.tokens.map(({ token }) => token)
const SECRET = 'S3cr3t'
const hex = (text: string, encoding: 'latin1' | 'base64url' = 'latin1') =>
  Buffer.from(text, encoding).toString('hex')
const lines = (text: string) => text.replaceAll(/.{64}/g, '$&\n')
const standard = (text: string) => text.replaceAll('-', '+').replaceAll('_', '/')
const hasBoth = recorded.tokens.find(({ token }) => token.includes('-') && token.includes('_'))

it.for<[form: string, write: (token: string) => unknown]>([
  ['the token', (token) => token],
  ['spaces and line breaks around it', (token) => ` \t${token}\r\n`],
  ['line breaks in it', lines],
  ['escaped line breaks in it', (token) => lines(token).replaceAll('\n', String.raw`\n`)],
  ['no padding', (token) => token.replaceAll('=', '')],
  ['padding in percent-encoding', (token) => token.replaceAll('=', '%3D')],
  ['padding in escapes of JSON', (token) => token.replaceAll('=', String.raw`\u003d`)],
  ['padding in quoted-printable', (token) => token.replaceAll('=', '=3D')],
  ['double quotes', (token) => `"${token}"`],
  ['single quotes', (token) => `'${token}'`],
  ['repr() of Python', (token) => `b'${token}'`],
  ['repr() in JSON', (token) => JSON.stringify(`b'${token}'`)],
  ['the apostrophe of a spreadsheet', (token) => `'${token}`],
  ['a formula of a spreadsheet', (token) => `="${token}"`],
  ['the prefix fernet:', (token) => `fernet:${token}`],
  ['the prefix enc:fernet:', (token) => `enc:fernet:${token}`],
  ['the prefix v1:', (token) => `v1:${token}`],
  ['the prefix 1:', (token) => `1:${token}`],
  ['the prefix v1.', (token) => `v1.${token}`],
  ['the prefix key-2024:', (token) => `key-2024:${token}`],
  ['the prefix $fernet$', (token) => `$fernet$${token}`],
  ['the prefix {fernet}', (token) => `{fernet}${token}`],
  ['the prefix FERNET|', (token) => `FERNET|${token}`],
  ['the prefix encrypted=', (token) => `encrypted=${token}`],
  ['ENC(…)', (token) => `ENC(${token})`],
  ['a prefix in repr()', (token) => `b'enc:${token}'`],
  ['a prefix before repr()', (token) => `enc:b'${token}'`],
  ['a prefix in bytea', (token) => String.raw`\x${hex(`enc:${token}`)}`],
  ['bytea of PostgreSQL', (token) => String.raw`\x${hex(token)}`],
  ['bytea in COPY text', (token) => String.raw`\\x${hex(token)}`],
  ['hex of MySQL', (token) => `0x${hex(token).toUpperCase()}`],
  ['hex alone', hex],
  [
    'bytea of the bytes that the token stands for',
    (token) => String.raw`\x${hex(token, 'base64url')}`,
  ],
  [
    'the bytes that the token stands for',
    (token) => new Uint8Array(Buffer.from(token, 'base64url')),
  ],
  ['the bytes of its text', (token) => new Uint8Array(Buffer.from(token))],
  ['base64 of its text', btoa],
  ['the BLOB in MySQL’s JSON', (token) => `base64:type252:${btoa(token)}`],
  ['an object', (token) => ({ key: token })],
  ['an object with more in it', (token) => ({ alg: 'fernet', v: 1, key: token, salt: null })],
  ['an object as JSON text', (token) => JSON.stringify({ key: token })],
  ['a list', (token) => [token]],
  ['an object in an object', (token) => JSON.stringify({ openai: { key: `v1:${token}` } })],
  ['DynamoDB’s text', (token) => ({ S: token })],
  ['DynamoDB’s bytes', (token) => ({ B: btoa(token) })],
  ['MongoDB’s bytes as JSON text', (token) => JSON.stringify({ $binary: { base64: btoa(token) } })],
])('reads the token in the form: %s', ([, write]) => {
  expect(readToken(write(TOKEN))).toEqual({ token: TOKEN })
})

it('reads a token in the standard alphabet of base64', () => {
  const token = hasBoth?.token ?? ''
  expect(standard(token)).toMatch(/\+.*\/|\/.*\+/)
  expect(readToken(standard(token))).toEqual({ token })
})

it.for(['', ' ', 'NULL', ' null ', 'None', null])('reads no token from %j', (field) => {
  expect(readToken(field)).toEqual({ token: null })
})

const BEFORE = /^has text before its Fernet token \(\d+ characters\): leave it out$/
const AFTER = /^has text after its Fernet token \(\d+ characters\): leave it out$/
const SEVERAL = /^has several Fernet tokens in one field: write a line for each/
const NO_TOKEN = /^has a key that is not a Fernet token$/
const NO_KEY = /^has no readable key: a user without a key needs null/

it.for<[field: string, refused: RegExp, value: unknown]>([
  ['a salt', BEFORE, `${SECRET.repeat(4)}:${TOKEN}`],
  ['a password hash', BEFORE, `pbkdf2_sha256$600000$${SECRET}$${TOKEN}`],
  ['an API key', BEFORE, `sk-proj-${SECRET.repeat(3)}:${TOKEN}`],
  ['a prefix that may be part of the token', BEFORE, `v1-${TOKEN}`],
  ['a prefix without a separator', BEFORE, `enc${TOKEN}`],
  ['a prefix in words', BEFORE, `the key of ${SECRET}: ${TOKEN}`],
  ['a suffix', AFTER, `${TOKEN}:${SECRET}`],
  ['a bracket that was not opened', AFTER, `${TOKEN})`],
  ['two tokens', SEVERAL, `${TOKEN}:${OTHER}`],
  ['two tokens after a prefix', SEVERAL, `enc:${TOKEN},${OTHER}`],
  ['a token for each of two providers', SEVERAL, { openai: TOKEN, anthropic: OTHER }],
  ['two tokens in JSON text', SEVERAL, JSON.stringify([TOKEN, OTHER])],
  ['an API key alone', NO_TOKEN, `sk-${SECRET}`],
  ['a prefix alone', NO_TOKEN, 'enc:fernet:'],
  ['a token that was cut off', NO_TOKEN, TOKEN.slice(0, -4)],
  ['a token that was cut off after a prefix', NO_TOKEN, `enc:fernet:${TOKEN.slice(0, -4)}`],
  ['a token in capital letters', NO_TOKEN, TOKEN.toUpperCase()],
  ['an object of plain keys', NO_KEY, { openai: `sk-${SECRET}`, other: 'x' }],
  ['an empty object', NO_KEY, {}],
  ['a missing field', NO_KEY, undefined],
  ['a number', NO_KEY, 7],
  ['a long text', /^has a token over 16384 characters$/, SECRET.repeat(9_000)],
])('refuses %s, and does not show it', ([, refused, field]) => {
  const read = readToken(field)
  expect(read).toEqual({ refused: expect.stringMatching(refused) })
  expect(JSON.stringify(read)).not.toMatch(/S3cr3t|gAAAA|sk-/)
})

it('refuses what is wrapped too often', () => {
  expect(readToken([[[[[[[[TOKEN]]]]]]]])).toEqual({ refused: expect.stringMatching(NO_KEY) })
})
