import { describe, expect, it } from 'vitest'
import {
  describeChanges,
  findUrgent,
  listRows,
  mergeSlots,
} from '../../../src/page/element/shown-keys.ts'
import type { ShownSlot } from '../../../src/page/element/slot.ts'
import { english, labelled, setClock, someKey, someSlot } from './shown.ts'

const openai = someSlot({ key: someKey() })
const groq = someSlot({ name: 'groq', provider: 'Groq', key: someKey({ status: 'rejected' }) })
const mistral = someSlot({ name: 'mistral', provider: 'Mistral' })
const xai = someSlot({ name: 'xai', provider: 'xAI', key: 'unreadable' })
const slots = [openai, mistral, groq, xai]

const namesOf = (some: readonly ShownSlot[]) => some.map(({ name }) => name)

it('finds the keys that need attention', () => {
  setClock()
  expect(findUrgent(slots, english)).toEqual(new Set(['groq', 'xai']))
})

describe('the rows', () => {
  it.for<[what: string, urgent: string[], rows: string[]]>([
    [
      'those that need attention come first, in their order',
      ['groq', 'xai'],
      ['groq', 'xai', 'openai'],
    ],
    ['none needs attention', [], ['openai', 'groq', 'xai']],
    ['one that needed attention has been mended', ['openai'], ['openai', 'groq', 'xai']],
    ['an empty slot needed attention', ['mistral'], ['openai', 'groq', 'xai']],
  ])('lists the slots with a key: %s', ([, urgent, rows]) => {
    expect(namesOf(listRows(slots, () => false, new Set(urgent)))).toEqual(rows)
  })

  it('an empty slot has a row while it is kept', () => {
    const rows = listRows(slots, (name) => name === 'mistral', new Set(['groq']))
    expect(namesOf(rows)).toEqual(['groq', 'openai', 'mistral', 'xai'])
  })
})

describe('another reading of the slots', () => {
  it('keeps the new slots and their order', () => {
    const after = [xai, groq, mistral, openai]
    expect(mergeSlots(slots, after)).toEqual(after)
  })

  it('a slot that is gone stays where it was, without its key', () => {
    const work = { ...labelled('work'), lag: 60 }
    const gone = { ...work, key: null, etag: null, lag: 0 }
    expect(mergeSlots([openai, work, groq], [openai, groq])).toEqual([openai, gone, groq])
    expect(mergeSlots([work, openai], [openai])).toEqual([gone, openai])
    expect(mergeSlots([openai, work], [groq, openai])).toEqual([groq, openai, gone])
    const pair = [work, { ...work, name: 'openai:other' }]
    expect(mergeSlots(pair, []).map(({ name }) => name)).toEqual(['openai:work', 'openai:other'])
  })

  it.for<[what: string, after: ShownSlot, text: string | undefined]>([
    ['is as it was', openai, undefined],
    ['has been used', { ...openai, key: someKey({ usedAt: '2026-06-15' }) }, undefined],
    ['has changed', { ...openai, etag: '"0123abcd.2"' }, 'This key was changed somewhere else.'],
    ['is empty', someSlot(), 'The OpenAI key was deleted somewhere else.'],
  ])('says of a slot with a key if it %s', ([, after, text]) => {
    const changes = describeChanges([openai, mistral], [after, mistral], english)
    expect(changes.get('openai')?.text).toBe(text)
    expect(changes.has('mistral')).toBe(false)
  })

  it.for<[what: string, before: ShownSlot[]]>([
    ['was empty', [someSlot()]],
    ['was not there', []],
  ])('says that a key was saved in a slot that %s', ([, before]) => {
    const changes = describeChanges(before, [openai, mistral], english)
    expect(Array.from(changes.keys())).toEqual(['openai'])
  })
})
