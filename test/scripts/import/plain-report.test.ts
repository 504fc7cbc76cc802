import { expect, it } from 'vitest'
import type { PlainLine } from '../../../scripts/import/plain-lines.ts'
import { PlainReport } from '../../../scripts/import/plain-report.ts'
import type { Outcome } from '../../../scripts/import/plain-send.ts'

const KEY = 'sk-0123456789'
const lineOf = (line: number): PlainLine => ({
  line,
  userId: `u${line}`,
  provider: 'openai',
  key: KEY,
})

function reportOf(outcomes: (Outcome | null)[]): PlainReport {
  const report = new PlainReport()
  for (const [index, outcome] of outcomes.entries()) {
    const line = { line: index + 1, refused: 'has no id', owner: null }
    if (outcome === null)
      report.count(line, { state: 'refused', reason: 'has no id', isUserAdded: false })
    else report.count(lineOf(index + 1), outcome)
  }
  return report
}

const saved = { state: 'saved', isUserAdded: true } as const
const taken = { state: 'taken', isUserAdded: false } as const
const uncertain = { state: 'uncertain', isUserAdded: false } as const
const keyless = { state: 'without_key', isUserAdded: true } as const
const failed = { state: 'failed', reason: 'got no answer (503)', isUserAdded: false } as const

it('a report counts lines, and names those that have to be checked', () => {
  const report = reportOf([saved, null, taken, taken, failed, taken, uncertain, keyless, null])
  report.waitedSeconds = 61
  expect(report.isClean).toBe(false)
  expect(report.describe().split('\n')).toEqual([
    'Read                     9',
    'Users added              2',
    'Keys saved               1',
    'Already there            4',
    'Refused                  2',
    'Failed                   1',
    'Without a key            1',
    '  lines 2, 9: each has no id',
    '  line 5 got no answer (503)',
    '  lines 3–4, 6–7 had a key already',
    '--json lists the users of refused and failed lines.',
    'A key that is there already was left alone. Nobody can tell a key that an earlier run saved from one that its',
    'user had before.',
    'This run may have saved the key of line 7: the answer to an earlier attempt was lost.',
    'To save the keys that failed, run the import again.',
    'It waited 1 min 1 s for the rate limits of the vault.',
  ])
})

it('--json has the users of lines that have to be checked, and no key', () => {
  const json = reportOf([saved, null, taken, failed, uncertain]).toJson()
  expect(json).toMatchObject({
    read: 5,
    users_added: 1,
    keys_saved: 1,
    already_there: [
      [3, 3],
      [5, 5],
    ],
    uncertain: [[5, 5]],
    refused: [{ line: 2, reason: 'has no id', user_id: null, provider: null }],
    failed: [{ line: 4, reason: 'got no answer (503)', user_id: 'u4', provider: 'openai' }],
    without_key: 0,
  })
  expect(JSON.stringify(json)).not.toContain(KEY)
})

it('a clean report has nothing but counts', () => {
  const report = reportOf([saved, keyless])
  expect(report.isClean).toBe(true)
  expect(report.describe().split('\n')).toHaveLength(7)
})

it('a report names at most 20 ranges of lines', () => {
  const report = reportOf(Array.from({ length: 100 }, (_, index) => (index % 2 ? saved : taken)))
  expect(report.describe()).toContain(', 37, 39, and 30 more ranges had a key already')
})
