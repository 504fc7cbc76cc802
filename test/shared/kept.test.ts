import { describe, expect, it } from 'vitest'
import { Kept } from '../../src/shared/kept.ts'

/** As an entry with a name of one character, and a value of none. */
const ENTRY = 402

const keep = (most: number, names: string) => {
  const kept = new Kept<string>(most)
  for (const name of names) kept.set(name, name.toUpperCase(), 0)
  return kept
}
const namesIn = (kept: Kept<string>, names: string) =>
  names
    .split('')
    .filter((name) => kept.get(name) !== undefined)
    .join('')

describe('a map bound by bytes', () => {
  it('a map bound by bytes returns what was kept, and undefined for the rest', () => {
    const kept = keep(ENTRY, 'a')
    expect([kept.get('a'), kept.get('b')]).toEqual(['A', undefined])
  })

  it('a map bound by bytes lists its values, the least recently used first', () => {
    const kept = keep(3 * ENTRY, 'abc')
    kept.get('a')
    expect(kept.values()).toEqual(['B', 'C', 'A'])
  })

  it.for([
    ['as many as fit', 3 * ENTRY, 'abc', 'abc'],
    ['none but the latest ones', 3 * ENTRY, 'abcd', 'bcd'],
    ['none for which a byte is missing', 3 * ENTRY - 1, 'abc', 'bc'],
    ['nothing without room', ENTRY - 1, 'a', ''],
  ] as const)('a map bound by bytes keeps %s', ([, most, names, left]) => {
    const kept = keep(most, names)
    expect([namesIn(kept, names), kept.bytes]).toEqual([left, left.length * ENTRY])
  })

  it('a map bound by bytes drops the value that was not used for longest', () => {
    const kept = keep(3 * ENTRY, 'abc')
    kept.get('a')
    expect([kept.set('d', 'D', 0), namesIn(kept, 'abcd')]).toEqual([['B'], 'acd'])
  })

  it('a map bound by bytes counts a value that is kept again as used', () => {
    const kept = keep(3 * ENTRY, 'abc')
    kept.set('a', 'new', 0)
    expect([kept.set('d', 'D', 0), kept.get('a')]).toEqual([['B'], 'new'])
  })

  it('a map bound by bytes counts two bytes for each character of a name and its value', () => {
    const kept = keep(10 * ENTRY, '')
    kept.set('name', 'value', 100)
    expect(kept.bytes).toBe(400 + 2 * 104)
  })

  it('a map bound by bytes counts a value anew when it is kept again', () => {
    const kept = keep(10 * ENTRY, 'a')
    kept.set('a', 'long', 100)
    kept.set('a', 'short', 1)
    expect(kept.bytes).toBe(ENTRY + 2)
  })

  it('a map bound by bytes makes room for a large value, and drops no more than it must', () => {
    const kept = keep(4 * ENTRY, 'abcd')
    expect(kept.set('e', 'E', ENTRY / 2)).toEqual(['A', 'B'])
    expect([namesIn(kept, 'abcde'), kept.bytes]).toEqual(['cde', 4 * ENTRY])
  })

  it('a map bound by bytes does not keep a value that is larger than the bound, and drops nothing for it', () => {
    const kept = keep(2 * ENTRY, 'ab')
    expect([kept.set('c', 'C', ENTRY), namesIn(kept, 'abc')]).toEqual([['C'], 'ab'])
  })

  it('a map bound by bytes forgets the earlier value of a name whose later one is too large', () => {
    const kept = keep(2 * ENTRY, 'ab')
    kept.set('a', 'later', ENTRY)
    expect([kept.get('a'), kept.bytes]).toEqual([undefined, ENTRY])
  })

  it('a map bound by bytes has room again after a value was deleted', () => {
    const kept = keep(2 * ENTRY, 'ab')
    kept.delete('a')
    kept.delete('nothing')
    expect([kept.bytes, kept.set('c', 'C', 0), namesIn(kept, 'abc')]).toEqual([ENTRY, [], 'bc'])
  })

  it('a map bound by bytes drops old values up to the first one that is not old', () => {
    const kept = keep(4 * ENTRY, 'abcd')
    kept.get('b')
    kept.dropOld((value) => value !== 'D')
    expect([namesIn(kept, 'abcd'), kept.bytes]).toEqual(['bd', 2 * ENTRY])
    kept.dropOld(() => true)
    expect(kept.bytes).toBe(0)
  })

  it('a map bound by bytes is never over its bound', () => {
    const kept = new Kept<number>(10_000)
    const sizes = Array.from({ length: 2_000 }, (_, index) => {
      // Each of 97 names comes again and again, with another size.
      kept.set(`name-${index % 97}`, index, (index * 7_919) % 6_000)
      if (index % 3 === 0) kept.get(`name-${(index * 31) % 97}`)
      if (index % 5 === 0) kept.delete(`name-${(index * 17) % 97}`)
      return kept.bytes
    })
    expect(Math.max(...sizes)).toBeLessThanOrEqual(10_000)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(0)
  })
})
