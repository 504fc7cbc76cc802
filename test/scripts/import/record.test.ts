import { expect, it } from 'vitest'
import { readRecord } from '../../../scripts/import/record.ts'
import recorded from '../../import/vectors/python-cryptography-fernet.json' with { type: 'json' }

const FIELDS = {
  id: 'id',
  key: 'encrypted_api_key',
  provider: 'default',
  providerColumn: 'provider',
}

it.for(['', 'NULL', '\\N', 'null', 'None', 'nan', 'NaN', '<null>', '(null)', '#N/A', null])(
  'reads a user without a key from %j',
  (value) => {
    expect(readRecord({ id: 'u', encrypted_api_key: value }, FIELDS)).toEqual({
      userId: 'u',
      provider: 'default',
      token: null,
      savedAt: '',
    })
  },
)

it('refuses a record without an id, and names the option that reads MongoDB’s _id', () => {
  expect(readRecord({ encrypted_api_key: null }, FIELDS)).toEqual({
    refused: 'has no id',
    user: null,
  })
  const record = { _id: { $oid: '507f1f77bcf86cd799439011' }, encrypted_api_key: null }
  expect(readRecord(record, FIELDS)).toEqual({
    refused: 'has no id, but has an _id: add --id-column _id',
    user: null,
  })
})

it.for<[name: string, id: unknown, expected: string]>([
  ['an ObjectId', { $oid: '507f1f77bcf86cd799439011' }, '507f1f77bcf86cd799439011'],
  ['an ObjectId of CSV', 'ObjectId(507f1f77bcf86cd799439011)', '507f1f77bcf86cd799439011'],
  [
    'a UUID',
    { $uuid: '00112233-4455-6677-8899-aabbccddeeff' },
    '00112233-4455-6677-8899-aabbccddeeff',
  ],
  [
    'a UUID of mongoexport',
    { $binary: { base64: 'ABEiM0RVZneImaq7zN3u/w==', subType: '04' } },
    '00112233-4455-6677-8899-aabbccddeeff',
  ],
  [
    'a UUID of an older mongoexport',
    { $binary: 'ABEiM0RVZneImaq7zN3u/w==', $type: '04' },
    '00112233-4455-6677-8899-aabbccddeeff',
  ],
  ['a bigint', 2n ** 53n, '9007199254740992'],
  ['like a team', 'team:acme', '~team:acme'],
])('reads an id that is %s', ([, id, expected]) => {
  expect(readRecord({ id, encrypted_api_key: null }, FIELDS)).toMatchObject({ userId: expected })
})

it.for<[name: string, id: unknown]>([
  ['a UUID in another byte order', { $binary: { base64: 'ABEi', subType: '03' } }],
  ['true', true],
  ['a float of pandas', '7.0'],
  ['an absent value', 'NULL'],
  ['a number over 2^53', 2 ** 53 + 2],
  ['one dot', '.'],
  ['two dots', '..'],
  ['half of a surrogate pair', 'a\ud800'],
])('refuses an id that is %s', ([, id]) => {
  expect(readRecord({ id, encrypted_api_key: null }, FIELDS)).toEqual({
    refused: expect.stringMatching(/^has (?:no|an) id/),
    user: null,
  })
})

it.for<[given: unknown, expected: object]>([
  ['openai', { provider: 'openai' }],
  ['NULL', { provider: 'default' }],
  ['No Name', { refused: expect.stringMatching(/^has a provider whose name is not lower-case/) }],
  [7, { refused: 'has a provider that is not a string' }],
])('reads or refuses the provider %j', ([provider, expected]) => {
  expect(readRecord({ id: 'u', encrypted_api_key: null, provider }, FIELDS)).toMatchObject(expected)
})

const [{ token } = { token: '' }] = recorded.tokens

it.for<[name: string, given: object, provider: string]>([
  ['key is not a token', { encrypted_api_key: 'sk-plain', provider: 'openai' }, 'openai'],
  ['key is missing', { provider: 'openai' }, 'openai'],
  ['token is too late', { encrypted_api_key: `gP${'_'.repeat(10)}${'A'.repeat(86)}==` }, 'default'],
  ['provider is not one', { encrypted_api_key: token, provider: 'No Name' }, 'default'],
])('names the user of a refused record whose %s, without the key', ([, given, provider]) => {
  expect(readRecord({ id: 'u', ...given }, FIELDS)).toEqual({
    refused: expect.any(String),
    user: { userId: 'u', provider, token: null, savedAt: '' },
  })
})
