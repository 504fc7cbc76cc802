import { expect, it } from 'vitest'
import { decodeBase64url, isBase64url } from '../../src/crypto/base64url.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

it.for<[text: string, bytes: number[]]>([
  ['', []],
  ['AA', [0]],
  ['_w', [255]],
  ['AAA', [0, 0]],
  ['-_8', [251, 255]],
  ['AAAA', [0, 0, 0]],
  ['c2stMQ', [115, 107, 45, 49]],
])('decodes %j', ([text, bytes]) => {
  expect(isBase64url(text)).toBe(true)
  expect(decodeBase64url(text)).toEqual(new Uint8Array(bytes))
})

it.for([
  ['one character more than whole bytes', 'A'],
  ['five characters', 'AAAAA'],
  ['padding', 'AA=='],
  ['half a padding', 'AA='],
  ['padding after whole bytes', 'AAAA='],
  ['spare bits after one byte', 'AB'],
  ['spare bits after two bytes', 'AAB'],
  ['the + of standard base64', '+AAA'],
  ['the / of standard base64', '/AAA'],
  ['a space before it', ' AAAA'],
  ['a space in it', 'AA AA'],
  ['a line break after it', 'AAAA\n'],
  ['a character that is not ASCII', 'AAAä'],
])('refuses a text with %s', ([, text = '']) => {
  expect(isBase64url(text)).toBe(false)
  expect(decodeBase64url(text)).toBeNull()
})

it('accepts one text alone for each byte', () => {
  const texts = Array.from(ALPHABET, (first) => Array.from(ALPHABET, (last) => first + last)).flat()
  const bytes = texts.flatMap((text) => decodeBase64url(text)?.[0] ?? [])
  expect(bytes).toEqual(Array.from({ length: 256 }, (_, byte) => byte))
})
