/** What the tests do with each SDK. They run in Node through the relay, and in a Worker through `vaultFetch`. */

import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { generateText, streamText, type LanguageModel } from 'ai'
import OpenAI from 'openai'

/** How the SDKs reach a provider. */
export interface Access {
  /** The base URL of a provider. */
  base: (provider: string) => string
  apiKey: string
  fetch: (provider: string) => typeof fetch
  /** Lets the provider send what it holds back. */
  release: () => unknown
}

/** Asks `model` for a text. `signal` ends the call. */
export interface Asked {
  model: string
  signal: AbortSignal
}

/** One way to call a provider. */
export interface Caller {
  provider: string
  whole: (access: Access, asked: Asked) => Promise<string>
  stream: (access: Access, asked: Asked) => AsyncIterable<string>
}

const PROMPT = 'Say hello'
const messages = [{ role: 'user' as const, content: PROMPT }]

const openAi = ({ base, apiKey, fetch }: Access) =>
  new OpenAI({ baseURL: `${base('openai')}/v1`, apiKey, fetch: fetch('openai') })
const anthropic = ({ base, apiKey, fetch }: Access) =>
  new Anthropic({ baseURL: base('anthropic'), apiKey, fetch: fetch('anthropic') })
/** OpenAI's SDK for a part of another provider's paths, and Anthropic's SDK for one. */
const openAiAt = ({ base, apiKey, fetch }: Access, provider: string, path: string) =>
  new OpenAI({ baseURL: base(provider) + path, apiKey, fetch: fetch(provider) })
const deepSeek = ({ base, apiKey, fetch }: Access) =>
  new Anthropic({ baseURL: `${base('deepseek')}/anthropic`, apiKey, fetch: fetch('deepseek') })
const gemini = ({ base, apiKey, fetch }: Access) =>
  new GoogleGenAI({ apiKey, httpOptions: { baseUrl: base('gemini'), fetch: fetch('gemini') } })

// Otherwise the AI SDK warns that it does not know the models of the tests.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

async function* aiStream(model: LanguageModel, abortSignal: AbortSignal): AsyncIterable<string> {
  const failures: unknown[] = []
  const onError = ({ error }: { error: unknown }) => void failures.push(error)
  yield* streamText({ model, prompt: PROMPT, abortSignal, onError }).textStream
  if (failures.length > 0) throw failures[0]
}

const aiWhole = async (model: LanguageModel, abortSignal: AbortSignal) =>
  (await generateText({ model, prompt: PROMPT, abortSignal })).text

const aiOpenAi = ({ base, apiKey, fetch }: Access, model: string) =>
  createOpenAI({ baseURL: `${base('openai')}/v1`, apiKey, fetch: fetch('openai') }).chat(model)
const aiResponses = ({ base, apiKey, fetch }: Access, model: string) =>
  createOpenAI({ baseURL: `${base('openai')}/v1`, apiKey, fetch: fetch('openai') })(model)
const aiAnthropic = ({ base, apiKey, fetch }: Access, model: string) =>
  createAnthropic({ baseURL: `${base('anthropic')}/v1`, apiKey, fetch: fetch('anthropic') })(model)

const chatOf = (provider: string, client: (access: Access) => OpenAI): Caller => ({
  provider,
  whole: async (access, { model, signal }) => {
    const made = await client(access).chat.completions.create({ model, messages }, { signal })
    return made.choices[0]?.message.content ?? ''
  },
  async *stream(access, { model, signal }) {
    const asked = { model, messages, stream: true } as const
    const stream = await client(access).chat.completions.create(asked, { signal })
    for await (const { choices } of stream) yield choices[0]?.delta.content ?? ''
  },
})

const messagesOf = (provider: string, client: (access: Access) => Anthropic): Caller => ({
  provider,
  whole: async (access, { model, signal }) => {
    const asked = { model, messages, max_tokens: 10 }
    const { content } = await client(access).messages.create(asked, { signal })
    return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  },
  async *stream(access, { model, signal }) {
    const asked = { model, messages, max_tokens: 10, stream: true } as const
    for await (const event of await client(access).messages.create(asked, { signal })) {
      const isText = event.type === 'content_block_delta' && event.delta.type === 'text_delta'
      if (isText && event.delta.type === 'text_delta') yield event.delta.text
    }
  },
})

export const CALLERS: Readonly<Record<string, Caller>> = {
  'openai, chat': chatOf('openai', openAi),
  'openai, chat with Gemini': chatOf('gemini', (access) =>
    openAiAt(access, 'gemini', '/v1beta/openai/'),
  ),
  'openai, chat with Anthropic': chatOf('anthropic', (access) =>
    openAiAt(access, 'anthropic', '/v1/'),
  ),
  'openai, responses': {
    provider: 'openai',
    whole: async (access, { model, signal }) =>
      (await openAi(access).responses.create({ model, input: PROMPT }, { signal })).output_text,
    async *stream(access, { model, signal }) {
      const asked = { model, input: PROMPT, stream: true } as const
      for await (const event of await openAi(access).responses.create(asked, { signal })) {
        if (event.type === 'response.output_text.delta') yield event.delta
      }
    },
  },
  '@anthropic-ai/sdk': messagesOf('anthropic', anthropic),
  '@anthropic-ai/sdk with DeepSeek': messagesOf('deepseek', deepSeek),
  '@google/genai': {
    provider: 'gemini',
    whole: async (access, { model, signal: abortSignal }) => {
      const asked = { model, contents: PROMPT, config: { abortSignal } }
      return (await gemini(access).models.generateContent(asked)).text ?? ''
    },
    async *stream(access, { model, signal: abortSignal }) {
      const asked = { model, contents: PROMPT, config: { abortSignal } }
      for await (const part of await gemini(access).models.generateContentStream(asked)) {
        yield part.text ?? ''
      }
    },
  },
  'ai, @ai-sdk/openai responses': {
    provider: 'openai',
    whole: async (access, { model, signal }) => aiWhole(aiResponses(access, model), signal),
    stream: (access, { model, signal }) => aiStream(aiResponses(access, model), signal),
  },
  'ai, @ai-sdk/openai': {
    provider: 'openai',
    whole: async (access, { model, signal }) => aiWhole(aiOpenAi(access, model), signal),
    stream: (access, { model, signal }) => aiStream(aiOpenAi(access, model), signal),
  },
  'ai, @ai-sdk/anthropic': {
    provider: 'anthropic',
    whole: async (access, { model, signal }) => aiWhole(aiAnthropic(access, model), signal),
    stream: (access, { model, signal }) => aiStream(aiAnthropic(access, model), signal),
  },
}

/** What came of a call. */
export interface Outcome {
  text: string
  /** The parts of a stream. */
  parts: number
  /** How many requests the SDK sent. */
  attempts: number
  /** The headers of all answers, and all that the error holds. */
  shown: string
  /** The error that the SDK threw: its name, status and message. */
  error?: { name: string; status: number | null; message: string }
}

/** `leave` aborts after the first part of a stream, and `step` lets the provider send the rest only then. */
export type Kind = 'whole' | 'stream' | 'leave' | 'step'

/** Runs a call. It never throws. */
export async function runCall(
  access: Access,
  { name, model, kind }: { name: string; model: string; kind: Kind },
): Promise<Outcome> {
  const caller = CALLERS[name]
  if (caller === undefined) throw new Error(`There is no caller ${name}`)
  const leaving = new AbortController()
  const outcome: Outcome = { text: '', parts: 0, attempts: 0, shown: '' }
  try {
    const watched = watch(access, outcome)
    const asked = { model, signal: leaving.signal }
    if (kind === 'whole') outcome.text = await caller.whole(watched, asked)
    else {
      for await (const part of caller.stream(watched, asked)) {
        outcome.text += part
        outcome.parts += 1
        if (kind === 'leave') leaving.abort()
        if (kind === 'step' && outcome.parts === 1) await access.release()
      }
    }
  } catch (error) {
    outcome.error = tellError(error)
    outcome.shown += dump(error)
  }
  return outcome
}

/** Counts the requests, and notes the headers of the answers. */
function watch(access: Access, outcome: Outcome): Access {
  const fetch = (provider: string): typeof globalThis.fetch => {
    const send = access.fetch(provider)
    return async (...sent) => {
      outcome.attempts += 1
      const response = await send(...sent)
      outcome.shown += JSON.stringify([...response.headers])
      return response
    }
  }
  return { ...access, fetch }
}

function tellError(error: unknown): NonNullable<Outcome['error']> {
  if (!(error instanceof Error)) return { name: '', status: null, message: String(error) }
  const status = 'status' in error ? error.status : 'statusCode' in error ? error.statusCode : null
  return {
    name: error.name,
    status: typeof status === 'number' ? status : null,
    message: error.message,
  }
}

/** All own properties of a value and of what it holds, headers included. */
function dump(value: unknown, met = new Set<unknown>()): string {
  if (typeof value !== 'object' || value === null) return `${String(value)}\n`
  if (met.has(value)) return ''
  met.add(value)
  if (value instanceof Headers) return JSON.stringify([...value])
  return Reflect.ownKeys(value)
    .map((key) => `${String(key)}: ${dump(Reflect.get(value, key), met)}`)
    .join('')
}
