import { describe, expect, it } from 'vitest'
import { joinCredential, splitCredential } from '../../src/keys/stored-key.ts'

describe('the text that is sealed', () => {
  it.for<[text: string, apiKey: string, baseUrl: string | null]>([
    ['sk-1', 'sk-1', null],
    ['sk-1\0https://a.test/v1', 'sk-1', 'https://a.test/v1'],
  ])('has the key and its base URL: %j', ([text, apiKey, baseUrl]) => {
    expect(joinCredential({ apiKey, baseUrl })).toBe(text)
    expect(splitCredential(text)).toEqual({ apiKey, baseUrl })
  })

  it.for([
    '',
    'sk 1',
    'sk-1\0',
    'sk-1\0rest-of-the-key',
    'sk-1\0http://a.test/v1',
    'sk-1\0https://a.test/v1\0',
    '\0https://a.test/v1',
  ])('is not a key: %j', (text) => {
    expect(splitCredential(text)).toBeNull()
  })
})
