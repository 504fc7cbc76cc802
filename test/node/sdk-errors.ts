/** Calls that fail, by SDK, and what an application sees of each error. The SDKs of Python are in sdk_errors.py. */

import { runInNewContext } from 'node:vm'
import Anthropic, { APIError as AnthropicError } from '@anthropic-ai/sdk'
import { ApiError, GoogleGenAI } from '@google/genai'
import OpenAI, { APIError as OpenAiError } from 'openai'
import { explain, explainGoogle } from '../../examples/node-server/meaning.ts'
import { PYTHON, PYTHON_PATH } from '../installed.ts'
import { startProgram } from './program.ts'

/** A call that fails. `shows` has an expression of its error for each thing to see. */
export interface Call {
  id: string
  sdk: string
  base: string
  token: string
  model: string
  retries: number
  shows: Record<string, string>
}

/** What the application sees. The meaning is what the code on the page makes of it. */
export interface Seen {
  /** Of the call. */
  id: string
  class: string | null
  meaning?: string
  /** The error as a text. */
  text?: string
  [shown: string]: unknown
}

const messages = [{ role: 'user' as const, content: 'Say hello' }]

const SDKS: Record<string, (call: Call) => Promise<unknown>> = {
  openai: async ({ base: baseURL, token: apiKey, model, retries: maxRetries }) =>
    new OpenAI({ baseURL, apiKey, maxRetries }).chat.completions.create({ model, messages }),
  '@anthropic-ai/sdk': async ({ base: baseURL, token: apiKey, model, retries: maxRetries }) =>
    new Anthropic({ baseURL, apiKey, maxRetries }).messages.create({
      model,
      messages,
      max_tokens: 10,
    }),
  '@google/genai': async ({ base: baseUrl, token: apiKey, model }) =>
    new GoogleGenAI({ apiKey, httpOptions: { baseUrl } }).models.generateContent({
      model,
      contents: 'Say hello',
    }),
}

const meaningOf = (error: unknown) => {
  if (error instanceof ApiError) return explainGoogle(error)
  if (error instanceof OpenAiError || error instanceof AnthropicError) return explain(error)
  return 'none'
}

/** Makes a call with an SDK of TypeScript. */
export async function see(call: Call): Promise<Seen> {
  try {
    await SDKS[call.sdk]?.(call)
    return { id: call.id, class: null }
  } catch (error) {
    const shown = Object.entries(call.shows).map(([name, expression]) => [
      name,
      runInNewContext(expression, { error }),
    ])
    const { constructor } = Object(error)
    const seen = {
      id: call.id,
      class: constructor.name,
      meaning: meaningOf(error),
      text: String(error),
    }
    return { ...seen, ...Object.fromEntries(shown) }
  }
}

/** Makes calls with the SDKs of Python, one after the other. */
export async function seeInPython(calls: readonly Call[]): Promise<Seen[]> {
  const PYTHONPATH = `${PYTHON_PATH}:examples/flask`
  await using program = startProgram([PYTHON, 'test/node/sdk_errors.py'], {
    env: { PYTHONPATH, PYTHONDONTWRITEBYTECODE: '1' },
    input: JSON.stringify(calls),
  })
  const { code, stdout, stderr } = await program.ended()
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}
