/** A refusal of the vault, in the one form that the SDKs of providers read. */

import type { ErrorAnswer, RelayErrorAnswer } from './answers.ts'

/**
 * What the SDKs of OpenAI, Anthropic and Google, and the AI SDK, all read. They show `code` as the error's `code` (OpenAI) or
 * `status` (Google, in Python), and `vault_error` as its `type` (OpenAI, Anthropic).
 */
export function describeForSdk({ error, code, detail, request_id }: ErrorAnswer): RelayErrorAnswer {
  const message = `The key vault refused (${code}): ${error}.${detail === undefined ? '' : ` ${detail}`}`
  return {
    type: 'error',
    error: {
      message,
      type: 'vault_error',
      code,
      status: code,
      ...(detail !== undefined && { detail }),
    },
    ...(request_id !== undefined && { request_id }),
  }
}
