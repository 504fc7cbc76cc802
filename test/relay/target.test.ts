import { describe, expect, it } from 'vitest'
import { splitTarget } from '../../src/relay/target.ts'

const ORIGIN = 'https://vault.test'

describe('the address of a relayed request', () => {
  it.for<[address: string, root: string, path: string]>([
    ['/relay/openai', '/relay/openai', '/'],
    ['/relay/openai/', '/relay/openai', '/'],
    ['/relay/openai?a=1', '/relay/openai', '/?a=1'],
    ['/relay/openai/v1/chat', '/relay/openai', '/v1/chat'],
    ['/relay/openai/v1/chat?a=/b?c&d=..', '/relay/openai', '/v1/chat?a=/b?c&d=..'],
    ['/relay/openai//v1//', '/relay/openai', '//v1//'],
    ['/relay/openai/relay/openai/v1', '/relay/openai', '/relay/openai/v1'],
    ['/relay/a%20b/v1/%2f%41', '/relay/a%20b', '/v1/%2f%41'],
    ['/relay/openai/.../v1..2/.a', '/relay/openai', '/.../v1..2/.a'],
  ])('splits the address %s without a change', ([address, root, path]) => {
    expect(splitTarget(ORIGIN + address)).toEqual({ root, path })
  })

  it.for([
    '/relay/openai/..',
    '/relay/openai/./v1',
    '/relay/openai/v1/../v2',
    '/relay/openai/%2e%2E/v1',
    '/relay/openai/.%2e/v1',
    '/relay/openai/v1%2f..',
    '/relay/openai/v1%2F..%2fv2',
    '/relay/openai/v1%5c..%5Cv2',
    '/relay/openai/v1\\..\\v2',
    '/relay',
    '/other/relay/openai/v1',
    '/other//host/relay/openai/v1',
    '/relay/openai/v1?a=1\nb',
    '/api/users',
  ])('refuses the address %j', (address) => {
    expect(() => splitTarget(ORIGIN + address)).toThrow(
      expect.objectContaining({ code: 'origin_not_allowed' }),
    )
  })

  it('refuses an address that is not a URL', () => {
    expect(() => splitTarget('/relay/openai/v1')).toThrow(
      expect.objectContaining({ code: 'origin_not_allowed' }),
    )
  })
})
