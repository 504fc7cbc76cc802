import { beforeAll, expect, it } from 'vitest'
import { addBase64 } from '../../../scripts/doctor/base64.ts'

beforeAll(() => addBase64())

const bytes = (text: string, alphabet?: 'base64url') =>
  Array.from(Uint8Array.fromBase64(text, alphabet && { alphabet }))

it.for<[text: string, decoded: number[]]>([
  ['', []],
  ['+/+/', [251, 255, 191]],
  ['AQ==', [1]],
  ['AQ', [1]],
  ['AQI=', [1, 2]],
  ['AQ\nID', [1, 2, 3]],
])('base64 is decoded: %j', ([text, decoded]) => {
  expect(bytes(text)).toEqual(decoded)
})

it.for(['-_-_', 'A', 'AQ=', '====', 'AQI=AQ==', 'ä'])('other text is refused: %s', (text) => {
  expect(() => bytes(text)).toThrow(SyntaxError)
})

it('each alphabet is decoded as itself alone, and encoded', () => {
  expect(bytes('-_-_', 'base64url')).toEqual([251, 255, 191])
  expect(() => bytes('+/+/', 'base64url')).toThrow(SyntaxError)
  const encoded = Uint8Array.of(251, 255)
  expect(encoded.toBase64()).toBe('+/8=')
  expect(encoded.toBase64({ alphabet: 'base64url' })).toBe('-_8=')
  expect(encoded.toBase64({ alphabet: 'base64url', omitPadding: true })).toBe('-_8')
  expect(encoded.toHex()).toBe('fbff')
})
