import { expect, it, vi } from 'vitest'
import { drawBar, formatCount, formatSeconds, startCounter } from '../../../scripts/lib/progress.ts'

it.for([
  [0, '0'],
  [999.6, '1,000'],
  [1_234_567, '1,234,567'],
] as const)('shows the count %d as %s', ([count, text]) => {
  expect(formatCount(count)).toBe(text)
})

it.for([
  [null, '?'],
  [0, '0 s'],
  [59, '59 s'],
  [61, '1 min 1 s'],
  [3_600, '1 h 0 min'],
  [3_925, '1 h 5 min'],
] as const)('shows %d seconds as %s', ([seconds, text]) => {
  expect(formatSeconds(seconds)).toBe(text)
})

it.for([
  [0, 0, 0, '0 %'],
  [400, 1_207, 10, '33 %'],
  [1, 1, 30, '100 %'],
  [2, 1, 30, '100 %'],
] as const)('draws %d of %d as a bar of %d signs and %s', ([done, total, signs, percent]) => {
  const [bar = '', ...rest] = drawBar(done, total).split(' ')
  expect(rest.join(' ')).toBe(percent)
  expect(bar).toBe('█'.repeat(signs).padEnd(30, '░'))
})

it('a counter that is not on a terminal prints nothing', () => {
  const write = vi.spyOn(process.stderr, 'write')
  const counter = startCounter('Sending')
  counter.move(1)
  counter.move(2, 'It waits.')
  counter.stop()
  expect(write).not.toHaveBeenCalled()
})
