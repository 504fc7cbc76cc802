import { openTab, readAddress, stored, visit } from './tab.ts'
import { beforeEach, expect, it } from 'vitest'
import {
  forgetGivenToken,
  keepGivenToken,
  takeGivenToken,
} from '../../../src/page/site/given-token.ts'

beforeEach(() => openTab())

it.for(['localhost', '127.0.0.1', '[::1]'])(
  'the token of a link is taken on %s, and removed from the address',
  (host) => {
    visit(`http://${host}:8787/?a=1#token=token-1`)
    expect(takeGivenToken()).toBe('token-1')
    expect(readAddress()).toBe(`http://${host}:8787/`)
    expect(takeGivenToken()).toBeNull()
    expect([...stored]).toEqual([])
  },
)

it.for(['vault.test', 'localhost.evil.test', '127.0.0.1.evil.test', '10.0.0.1'])(
  'a token is ignored on %s, and removed from the address',
  (host) => {
    keepGivenToken('kept')
    visit(`https://${host}/#token=token-1`)
    expect(takeGivenToken()).toBeNull()
    expect(readAddress()).toBe(`https://${host}/`)
  },
)

it('an address without a token stays as it is', () => {
  visit('http://localhost:8787/?a=1#section')
  expect(takeGivenToken()).toBeNull()
  expect(readAddress()).toBe('http://localhost:8787/?a=1#section')
})

it('a token that is kept is taken after a reload, until it is forgotten', () => {
  keepGivenToken('token-1')
  expect(takeGivenToken()).toBe('token-1')
  forgetGivenToken()
  expect(takeGivenToken()).toBeNull()
})

it('the token of a new link comes before the one that is kept', () => {
  keepGivenToken('token-1')
  visit('http://localhost:8787/#token=token-2')
  expect(takeGivenToken()).toBe('token-2')
})
