import { expect, it } from 'vitest'
import {
  readProps,
  requireGrant,
  requireNamed,
  requireRevealer,
  requireText,
  requireUserId,
} from '../../src/binding/props.ts'
import { VaultError } from '../../src/errors.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { ALL } from './callers.ts'

const refusal = (code: string) => expect.objectContaining({ code })

/** The code with which a check refuses; null if it does not. */
function codeOf(check: () => void): string | null {
  try {
    check()
    return null
  } catch (error) {
    return VaultError.from(error).code
  }
}

it('reads the props of a binding', () => {
  const props = { ...ALL, providers: ['openai'] }
  expect(readProps(props)).toEqual(props)
})

it.for<[name: string, props: unknown]>([
  ['no props', undefined],
  ['empty props', {}],
  ['no caller', { grants: ['use'] }],
  ['grants that are a text', { caller: 'chat', grants: 'use' }],
  ['an unknown grant besides a good one', { caller: 'chat', grants: ['use', 'all'] }],
  ['a misspelt limit of slots', { ...ALL, provider: ['openai'] }],
])('grants nothing, and knows no caller, for %s', ([, props]) => {
  expect(readProps(props)).toEqual({ caller: 'unknown', grants: [], providers: [] })
})

it.for([
  ['use', true],
  ['users', true],
  ['reveal', false],
  ['support', false],
] as const)('a binding with the grants use and users may %s: %s', ([grant, expected]) => {
  const check = () => requireGrant({ caller: 'chat', grants: ['use', 'users'] }, grant)
  expect(codeOf(check)).toBe(expected ? null : 'not_granted')
})

it.for([
  ['', 'export', false],
  ['false', 'export', false],
  ['true', 'export', true],
  ['other, export', 'export', true],
  ['other', 'export', false],
  ['exports', 'export', false],
] as const)('ALLOW_REVEAL = %j lets %s read keys: %s', async ([allowed, caller, expected]) => {
  const { settings } = await openService({ ...env, ALLOW_REVEAL: allowed })
  const check = () => requireRevealer({ caller, grants: ['reveal'] }, settings)
  expect(codeOf(check)).toBe(expected ? null : 'not_granted')
})

it.for<[providers: string[] | undefined, name: string, defaultProvider: string, is: boolean]>([
  [undefined, 'openai', '', true],
  [['openai'], 'openai', '', true],
  [['anthropic', 'openai'], 'openai', '', true],
  [['anthropic'], 'openai', '', false],
  [['openai'], 'OpenAI', '', false],
  [[], 'openai', '', false],
  [['default'], 'default', '', true],
  [['default'], 'openai', '', false],
  [['openai'], 'default', '', false],
  [['default'], 'default', 'openai', true],
  [['default'], 'openai', 'openai', true],
  [['openai'], 'default', 'openai', true],
  [['openai'], 'openai', 'openai', true],
  [['anthropic'], 'default', 'openai', false],
  [['default'], 'anthropic', 'openai', false],
])(
  'a binding of the slots %j may use %s with DEFAULT_PROVIDER %j: %s',
  async ([providers, name, DEFAULT_PROVIDER, expected]) => {
    const { settings } = await openService({ ...env, DEFAULT_PROVIDER })
    const props = { ...ALL, ...(providers && { providers }) }
    const check = () => requireNamed(props, settings, name)
    expect(codeOf(check)).toBe(expected ? null : 'provider_not_granted')
  },
)

it('takes any text for an argument', () => {
  expect([requireText('a'), requireText(' ')]).toEqual(['a', ' '])
})

it.for([[''], [undefined], [null], [7], [10n], [true], [['a']], [{}], [Symbol('a')]])(
  'refuses %o for a text or a user id',
  ([value]) => {
    expect(() => requireText(value)).toThrow(refusal('invalid_argument'))
    expect(() => requireUserId(value)).toThrow(refusal('invalid_argument'))
  },
)

it.for(['jane', 'auth0|a b', '...', 'Zoë'])('takes the user id %j', (userId) => {
  expect(requireUserId(userId)).toBe(userId)
})

it.for(['.', '..', '\uD800'])('refuses the user id %j', (userId) => {
  expect(() => requireUserId(userId)).toThrow(refusal('invalid_argument'))
})

it('takes a user id of 2,000 characters, and none that is longer', () => {
  const longest = 'x'.repeat(2_000)
  expect(requireUserId(longest)).toBe(longest)
  expect(() => requireUserId(`${longest}x`)).toThrow(refusal('invalid_argument'))
})
