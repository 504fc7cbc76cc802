import { expect, it } from 'vitest'
import { relayErrorAnswer } from '../../src/shared/answers.ts'
import { describeForSdk } from '../../src/shared/sdk-refusal.ts'

it('says what the vault refused, and no more than it knows', () => {
  expect(describeForSdk({ error: 'No API key is saved', code: 'no_api_key' })).toEqual({
    type: 'error',
    error: {
      type: 'vault_error',
      code: 'no_api_key',
      status: 'no_api_key',
      message: 'The key vault refused (no_api_key): No API key is saved.',
    },
  })
})

it('says the detail and the id of the request, as the API documents', () => {
  const refusal = { error: 'Unknown provider', code: 'unknown_provider' } as const
  const answer = describeForSdk({ ...refusal, detail: 'Known: openai.', request_id: 'id-1' })
  expect(relayErrorAnswer.parse(answer)).toEqual(answer)
  expect(answer).toMatchObject({ error: { detail: 'Known: openai.' }, request_id: 'id-1' })
  expect(answer.error.message).toMatch(/: Unknown provider\. Known: openai\.$/)
})
