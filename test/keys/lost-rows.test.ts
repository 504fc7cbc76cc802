/** What is known of rows that do not open, from one pass to the next. */

import { expect, it } from 'vitest'
import { parseKeyring } from '../../src/crypto/keyring.ts'
import {
  carryCounts,
  countLost,
  hasOtherForeignKeys,
  hasOtherRows,
  haveOpened,
} from '../../src/keys/lost-rows.ts'
import type { Count } from '../../src/store/rewrap.ts'

const count = (done: number, unopenable: number, more: Partial<Count> = {}): Count => ({
  rows: done + unopenable,
  done,
  unopenable,
  ...more,
})
const NONE = { rows: 0, done: 0, unopenable: 0 }

it.for<[name: string, keyring: string, fernet: Count | null, keys: string[], expected: boolean]>([
  ['have opened a row in this pass', 'a,fernet:f', count(1, 9), ['f'], true],
  ['opened a row earlier', 'a,fernet:f', count(0, 1, { opened_with: ['f'] }), ['f'], true],
  ['are among those that opened one', 'a,fernet:f,fernet:g', count(1, 9), ['f'], false],
  ['are more than those that opened one', 'a,fernet:f', count(1, 9), ['g', 'f'], true],
  ['are others', 'a,fernet:f', count(1, 9), ['g'], false],
  ['opened none', 'a,fernet:f', count(0, 9), ['f'], false],
  ['are not there', 'a,fernet:f', count(1, 9), [], false],
  ['were not needed', 'a,fernet:f', null, ['f'], false],
])('Fernet keys that %s: %#', ([, keyring, fernet, keys, expected]) => {
  const counts = fernet === null ? {} : { fernet }
  const foreign = keys.length === 0 ? null : { kid: 'fernet', names: keys }
  expect(haveOpened({ keyring, counts }, foreign)).toBe(expected)
})

it.for<[name: string, keyring: string, kid: string, before: Count, lost: number | undefined]>([
  ['whose key is in the keyring', 'a,b', 'b', count(3, 2), 2],
  ['whose key seals', 'a,b', 'a', count(3, 2), 2],
  ['whose key is missing', 'a', 'b', count(0, 2), undefined],
  ['whose key was there before', 'a', 'b', count(0, 2, { lost: 1 }), 1],
  ['that were replaced since', 'a', 'b', count(0, 1, { lost: 3 }), 1],
  ['that open again', 'a,b', 'b', count(3, 0, { lost: 3 }), undefined],
  ['of a Fernet key that opened others', 'a,fernet:f', 'fernet', count(5, 1), 1],
  ['of a Fernet key that opened none', 'a,fernet:f', 'fernet', count(0, 6), undefined],
  ['of a Fernet key that was removed', 'a', 'fernet', count(0, 1, { lost: 1 }), 1],
])('counts as lost the rows %s', ([, keyring, kid, before, lost]) => {
  expect(countLost({ keyring, counts: { [kid]: before } })[kid]?.lost).toBe(lost)
})

const UNUSED = new Set(['a', 'b', 'fernet'])

it('carries lost rows, Fernet keys and keys that have sealed over to the next pass, and no count', () => {
  const counts = { a: count(9, 0), b: count(1, 2, { lost: 2 }), fernet: count(5, 1, { lost: 1 }) }
  const pass = { keyring: 'a,b,fernet:f', counts }
  const b = { ...NONE, lost: 2 }
  expect(carryCounts(pass, parseKeyring('a'), UNUSED)).toEqual({
    b,
    fernet: { ...NONE, lost: 1, opened_with: ['f'] },
  })
  expect(carryCounts(pass, parseKeyring('n,a,b,new,fernet:g'), UNUSED)).toEqual({
    a: NONE,
    b,
    fernet: { ...NONE, opened_with: ['f'] },
  })
  expect(carryCounts(pass, parseKeyring('a'), new Set())).toEqual({
    fernet: { ...NONE, opened_with: ['f'] },
  })
})

it.for<[keyring: string, expected: boolean]>([
  ['a,fernet:f', false],
  ['a,fernet:f,fernet:g', false],
  ['a,fernet:g', true],
  ['a', false],
])('the keyring %s has other Fernet keys: %j', ([keyring, expected]) => {
  const pass = { keyring: 'a,fernet:f', counts: { fernet: count(5, 1) } }
  expect(hasOtherForeignKeys(pass, parseKeyring(keyring))).toBe(expected)
})

it('remembers that a key has sealed, although the pass met none of its rows', () => {
  const pass = { keyring: 'old', counts: {} }
  expect(carryCounts(pass, parseKeyring('new,old'), new Set())).toEqual({ old: NONE })
  expect(carryCounts(pass, parseKeyring('old,new'), new Set())).toEqual({})
})

it.for<[name: string, expected: boolean, rows: number, latest: string | null]>([
  ['as many as the pass left', false, 2, '2026-01-01'],
  ['fewer', false, 1, '2026-01-01'],
  ['none', false, 0, null],
  ['more', true, 3, '2026-01-01'],
  ['as many, one saved since', true, 2, '2026-01-02'],
  ['fewer, one saved since', true, 1, '2026-01-03'],
])('rows under a kid, %s: there are others is %j', ([, expected, rows, latest]) => {
  expect(hasOtherRows({ rows, latest }, 2, '2026-01-02')).toBe(expected)
})
