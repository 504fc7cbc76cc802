import { describe, expect, it } from 'vitest'
import { bindingCaller, CALLER_NAME, relayCaller } from '../../src/shared/caller.ts'

it('a bound Worker and a client of the relay with the same name are two callers', () => {
  expect([bindingCaller('chat'), relayCaller('chat')]).toEqual(['binding:chat', 'relay:chat'])
})

it('a client that its token does not name is no caller', () => {
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
