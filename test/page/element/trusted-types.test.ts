import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLitPolicy, createPolicy } from '../../../src/page/element/trusted-types.ts'

const rules = { createHTML: (html: string) => `trusted ${html}` }

/** A browser with Trusted Types, whose page allows each of `names` once. It returns the names that were asked for. */
function allow(names: string[]): string[] {
  const asked: string[] = []
  vi.stubGlobal('trustedTypes', {
    createPolicy: (name: string, given: object) => {
      asked.push(name)
      if (!names.includes(name) || asked.indexOf(name) < asked.length - 1) throw new TypeError(name)
      return { name, ...given }
    },
  })
  return asked
}

beforeEach(() => {
  vi.stubGlobal('customElements', new Map())
})
afterEach(() => {
  vi.unstubAllGlobals()
})

describe('createPolicy', () => {
  it('makes a policy with the rules', () => {
    allow(['one'])
    expect(createPolicy('one', rules)?.createHTML('<p>')).toBe('trusted <p>')
  })

  it('returns undefined for a name that the page does not allow, or has used', () => {
    allow(['one'])
    expect(createPolicy('other', rules)).toBeUndefined()
    createPolicy('one', rules)
    expect(createPolicy('one', rules)).toBeUndefined()
  })

  it('returns undefined in a browser without Trusted Types', () => {
    expect(createPolicy('one', rules)).toBeUndefined()
  })
})

describe('createLitPolicy', () => {
  it.for([
    [['api-key-settings', 'lit-html'], ['api-key-settings']],
    [['lit-html'], ['api-key-settings', 'lit-html']],
  ] as const)('uses its own name before that of other Lits: allowed are %j', ([names, used]) => {
    const asked = allow([...names])
    expect(createLitPolicy()).toMatchObject({ name: used.at(-1) })
    expect(asked).toEqual(used)
  })

  it('changes no HTML', () => {
    allow(['api-key-settings'])
    expect(createLitPolicy()?.createHTML('<p>')).toBe('<p>')
  })

  it('returns undefined if the page allows neither name', () => {
    allow([])
    expect(createLitPolicy()).toBeUndefined()
  })

  it('asks for no policy if the page has the element already', () => {
    const asked = allow(['api-key-settings'])
    vi.stubGlobal('customElements', new Map([['api-key-settings', Map]]))
    expect(createLitPolicy()).toBeUndefined()
    expect(asked).toEqual([])
  })
})
