/** The whole product of senders, scopes and routes: thousands of requests. The quick test has a sample of the scopes. */

import { expect, it } from 'vitest'
import { answersTo, ROWS } from './route-matrix.ts'

it.for(ROWS)('%s gets what the table says for each route, in a vault with %s', async (row) => {
  const { answered, expected } = await answersTo(row)
  expect(answered).toEqual(expected)
})
