import { describe, expect, it } from 'vitest'
import { fillText, gapAfter, isProblemText } from '../../../src/callers/browser/texts.ts'

describe('fillText', () => {
  it('takes each value that is named, and keeps a placeholder without a value', () => {
    expect(fillText('{time}, {time}, {day}, {0}', { time: 1, day: '' })).toBe('1, 1, , {0}')
    expect(fillText('{time}')).toBe('{time}')
  })

  it('takes a value as it is, whatever is in it', () => {
    expect(fillText('Saved {time}', { time: "{day} $& $1 $'" })).toBe("Saved {day} $& $1 $'")
  })
})

it.for([
  ['offline', true],
  ['internal', false],
] as const)('whether there is a text of the name %s: %s', ([name, isKnown]) => {
  expect(isProblemText(name)).toBe(isKnown)
})

it.for([
  ['Ready.', ' '],
  ['Ready', ' '],
  ['完了。', ''],
  ['完了？', ''],
] as const)('the next sentence follows "%s" after "%s"', ([sentence, gap]) => {
  expect(gapAfter(sentence)).toBe(gap)
})
