/** What a bound Worker gets for a request that addresses the provider. The rest is in keys/use.test.ts. */

import { expect, it } from 'vitest'
import { callersLocation } from '../../src/binding/use.ts'

it.for<[location: string, expected: string]>([
  ['/v1/next?a=1#b', 'https://azure.invalid/next?a=1#b'],
  ['next', 'https://azure.invalid/chat/next'],
  ['https://my.openai.azure.com/v1/next', 'https://azure.invalid/next'],
  ['https://my.openai.azure.com/v1', 'https://my.openai.azure.com/v1'],
  ['https://my.openai.azure.com/v1/', 'https://azure.invalid/'],
  ['https://my.openai.azure.com/v10', 'https://my.openai.azure.com/v10'],
  // As a client takes it: https://fetch.spec.whatwg.org/#concept-response-location-url
  ['https:next', 'https://azure.invalid/chat/next'],
  ['/login', 'https://my.openai.azure.com/login'],
  ['//my.openai.azure.com/v1//evil.test', 'https://azure.invalid//evil.test'],
  ['https://my.openai.azure.com:444/v1/next', 'https://my.openai.azure.com:444/v1/next'],
  ['https://evil.test/v1/next', 'https://evil.test/v1/next'],
  ['https://', 'https://'],
])('shows callers the location %s as %s', ([location, expected]) => {
  const [root, base] = ['https://azure.invalid', 'https://my.openai.azure.com/v1']
  const target = `${base}/chat/one`
  expect(callersLocation(location, { root, base, target })).toBe(expected)
})
