import { expect, it } from 'vitest'
import { nameProviders, offerSlots } from '../../../src/page/element/offer.ts'
import { goneSlot, plainSlot, someKey, someSlot } from './shown.ts'

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
  someSlot({ name: 'groq', label: 'Groq', key: 'unreadable' }),
  someSlot({ name: 'mistral', label: 'Mistral', key: 'unavailable' }),
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
