/** What `npm run mutate` says of survivors. It takes an hour, so no test runs it. */

import { describe, expect, it } from 'vitest'
import type { Mutant } from './room.ts'
import { judge, type Explained } from './survivors.ts'

const NAME = { file: 'src/crypto/seal.ts', code: 'const KEPT = 9', change: '9 → 8' }
const ENTRY: Explained = { ...NAME, why: 'the number only saves time' }

const mutantOf = (changes: Partial<Mutant> = {}): Mutant => ({
  ...NAME,
  line: 3,
  status: 'Survived',
  ...changes,
})

describe('a survivor', () => {
  it.for<[title: string, mutant: Mutant, why: string | null]>([
    ['is explained if its code and its change are', mutantOf(), ENTRY.why],
    ['is explained on another line too', mutantOf({ line: 30 }), ENTRY.why],
    ['is explained if no test reaches it', mutantOf({ status: 'NoCoverage' }), ENTRY.why],
    ['is not explained by another change', mutantOf({ change: '9 → 10' }), null],
    ['is not explained by other code', mutantOf({ code: 'const LEFT = 9' }), null],
    ['is not explained by another file', mutantOf({ file: 'src/crypto/keyring.ts' }), null],
  ])('a survivor %s', ([, mutant, why]) => {
    expect(judge('src/crypto', [mutant], [ENTRY]).survivors).toEqual([{ mutant, why }])
  })

  it.for(['Killed', 'Timeout', 'RuntimeError'])(
    'a mutant with the status %s is not a survivor',
    (status) => {
      expect(judge('src/crypto', [mutantOf({ status })], []).survivors).toEqual([])
    },
  )
})

describe('an explanation', () => {
  it.for<[title: string, path: string, mutants: Mutant[], stale: Explained[]]>([
    ['is needed while its mutant survives', 'src/crypto', [mutantOf()], []],
    ['is needed if its mutant times out', 'src/crypto', [mutantOf({ status: 'Timeout' })], []],
    ['is stale if its mutant is gone', 'src/crypto', [], [ENTRY]],
    ['is stale if a test fails now', NAME.file, [mutantOf({ status: 'Killed' })], [ENTRY]],
    ['is not judged by a run over another room', 'src/tokens', [], []],
    ['is not judged by a run over another file', 'src/crypto/keyring.ts', [], []],
  ])('an explanation %s', ([, path, mutants, stale]) => {
    expect(judge(path, mutants, [ENTRY]).stale).toEqual(stale)
  })
})
