import { describe, expect, it } from 'vitest'
import { bindingCaller, CALLER_NAME, relayCaller, isBindingProps } from '../../src/shared/caller.ts'

it('a bound Worker and a client of the relay with the same name are two callers', () => {
  expect([bindingCaller('chat'), relayCaller('chat')]).toEqual(['binding:chat', 'relay:chat'])
})

it('a token that does not name its client has no caller', () => {
  expect(relayCaller(null)).toBeNull()
})

describe('the name of a caller', () => {
  it.for([
    bindingCaller('My_chat-2.test'),
    bindingCaller('x'.repeat(64)),
    relayCaller('https://app.example.com/?a=1'),
    relayCaller('binding:chat'),
    relayCaller('x'.repeat(200)),
  ])('allows %j', (name) => {
    expect(name).toMatch(CALLER_NAME)
  })

  it.for([
    '',
    'chat',
    'server:chat',
    'Binding:chat',
    'binding:',
    'relay:',
    'binding:relay:chat',
    'xbinding:chat',
    'relay:my client',
    'relay:chat\n',
    `binding:${'x'.repeat(65)}`,
    `relay:${'x'.repeat(201)}`,
  ])('refuses %j', (name) => {
    expect(name).not.toMatch(CALLER_NAME)
  })
})

const CALLER = { caller: 'chat', grants: ['use'] }

it.for<[name: string, props: object]>([
  ['a caller without grants', { caller: 'chat', grants: [] }],
  ['every grant', { caller: 'chat', grants: ['use', 'reveal', 'users', 'support'] }],
  ['some slots', { ...CALLER, providers: ['openai', 'default'] }],
  ['no slot', { ...CALLER, providers: [] }],
  ['a caller of 64 characters', { ...CALLER, caller: 'x'.repeat(64) }],
  ['a caller with each kind of character', { ...CALLER, caller: 'My_chat-2.test' }],
])('accepts props with %s', ([, props]) => {
  expect(isBindingProps(props)).toBe(true)
})

it.for<[name: string, props: unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['no field', {}],
  ['no grants', { caller: 'chat' }],
  ['no caller', { grants: ['use'] }],
  ['an empty caller', { ...CALLER, caller: '' }],
  ['a caller of 65 characters', { ...CALLER, caller: 'x'.repeat(65) }],
  ['a caller with a space', { ...CALLER, caller: 'a caller' }],
  ['a caller with a line break', { ...CALLER, caller: 'chat\n' }],
  ['a caller that is not ASCII', { ...CALLER, caller: 'châta' }],
  ['grants that are a text', { caller: 'chat', grants: 'use,reveal' }],
  ['an unknown grant', { caller: 'chat', grants: ['use', 'all'] }],
  ['a grant in another case', { caller: 'chat', grants: ['Use'] }],
  ['slots that are a text', { ...CALLER, providers: 'openai' }],
  ['a slot that is not a text', { ...CALLER, providers: [7] }],
  ['no slots but null', { ...CALLER, providers: null }],
  ['a misspelt field', { ...CALLER, provider: ['openai'] }],
])('refuses props with %s', ([, props]) => {
  expect(isBindingProps(props)).toBe(false)
})
