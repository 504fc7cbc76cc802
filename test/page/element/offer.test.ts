import { describe, expect, it } from 'vitest'
import { nameProviders, offerMoves, offerSlots } from '../../../src/page/element/offer.ts'
import { goneSlot, labelled, plainSlot, setClock, someKey, someSlot } from './shown.ts'

it.for([
  [null, null],
  ['', []],
  ['openai', ['openai']],
  ['  mistral\n\tdefault openai ', ['mistral', 'default', 'openai']],
] as const)('reads the names in the attribute %j: %j', ([attribute, names]) => {
  expect(nameProviders(attribute)).toEqual(names)
})

const slots = [
  plainSlot(),
  someSlot({ key: someKey() }),
  someSlot({ name: 'groq', provider: 'Groq', key: 'unreadable' }),
  someSlot({ name: 'mistral', provider: 'Mistral', key: 'unavailable' }),
  goneSlot(),
]

it.for([
  ['every provider, but not the plain route', null, ['openai', 'groq']],
  ['none for an empty attribute', '', []],
  ['those named, in their order', 'groq default openai', ['groq', 'default', 'openai']],
  ['each once', 'groq openai groq', ['groq', 'openai']],
  ['no unknown ones', 'unknown openai', ['openai']],
  ['none whose key is stored, but unavailable', 'mistral openai', ['openai']],
  ['none that are no longer offered', 'gone openai', ['openai']],
] as const)('offers %s: %j', ([, attribute, names]) => {
  expect(offerSlots(slots, attribute).map(({ name }) => name)).toEqual(names)
})

describe('slots with labels', () => {
  const several = [someSlot(), labelled('work'), labelled('broken', 'unavailable')]

  it.for([
    ['one choice for each provider', null, ['openai']],
    ['a provider, whatever keys it has', 'openai', ['openai']],
    ['a slot with a label alone', 'openai:work', ['openai:work']],
    ['a slot that was never used', 'openai:new openai', ['openai:new', 'openai']],
    ['none whose key is stored, but unavailable', 'openai:broken', []],
    ['none of the plain route, and none of an unknown provider', 'default:work gone:work', []],
  ] as const)('offers %s: %j', ([, attribute, names]) => {
    const all = [plainSlot(), ...several, goneSlot()]
    expect(offerSlots(all, attribute).map(({ name }) => name)).toEqual(names)
  })
})

describe('a key of the plain route', () => {
  const groq = someSlot({ name: 'groq', provider: 'Groq' })
  const own = someSlot({ name: 'own', provider: 'Own', hosts: ['own.test'] })
  const all = [plainSlot(someKey()), someSlot(), groq, own, goneSlot(null)]

  it.for([
    ['each empty slot of a provider with an address', null, ['openai', 'groq']],
    ['no slot that the host application does not name', 'default', []],
    ['those that it names, in its order', 'groq default openai own gone', ['groq', 'openai']],
    ['no slot for an empty attribute', '', []],
  ] as const)('may move to %s: %j', ([, attribute, names]) => {
    const moves = offerMoves(plainSlot(someKey()), offerSlots(all, attribute))
    expect(moves.map(({ name }) => name)).toEqual(names)
  })

  it('may not move to a slot with a key', () => {
    expect(offerMoves(plainSlot(someKey()), [someSlot({ key: someKey() })])).toEqual([])
  })

  it.for([
    ['a key of a provider', someSlot({ key: someKey() })],
    ['a key that cannot be read', plainSlot('unreadable')],
    ['an expired key', plainSlot(someKey({ expiresAt: '2026-01-01T00:00:00.000Z' }))],
    ['a paused key', plainSlot(someKey({ isPaused: true }))],
    ['an empty slot', plainSlot()],
  ] as const)('offers no move of %s', ([, slot]) => {
    setClock()
    expect(offerMoves(slot, [groq])).toEqual([])
  })
})
