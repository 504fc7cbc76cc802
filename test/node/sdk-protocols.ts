/** What OpenAI, Anthropic and Google answer to the prompt of the tests: "Hello", whole, as events, or an error. */

/** A route of a provider. */
export interface Protocol {
  path: RegExp
  whole: object
  /** Server-sent events. */
  events: string[]
  error: object
  /** What it says of a wrong key. */
  wrongKey: { status: number; body: object }
}

const created = 1_700_000_000
const data = (event: object | string) =>
  `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`
const typed = (event: { type: string } & Record<string, unknown>) =>
  `event: ${event.type}\n${data(event)}`

const openAiError = {
  error: { message: 'Bad model', type: 'invalid_request_error', param: null, code: 'bad_model' },
}
const openAiWrongKey = {
  status: 401,
  body: {
    error: {
      message: 'Incorrect API key provided',
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_api_key',
    },
  },
}
const message = { type: 'message', id: 'msg-1', role: 'assistant', status: 'completed' }
const output = [{ ...message, content: [{ type: 'output_text', text: 'Hello', annotations: [] }] }]
const response = { id: 'resp-1', object: 'response', created_at: created, model: 'good' }
const delta = { item_id: 'msg-1', output_index: 0, content_index: 0, logprobs: [] }

const chunk = (content: string) => ({
  id: 'chat-1',
  object: 'chat.completion.chunk',
  created,
  model: 'good',
  choices: [{ index: 0, delta: { content }, finish_reason: null }],
})

const usage = { input_tokens: 1, output_tokens: 1 }
const claude = { id: 'msg-1', type: 'message', role: 'assistant', model: 'good' }
const ended = { stop_reason: 'end_turn', stop_sequence: null }
const claudeText = (text: string) => ({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text },
})

const candidates = (text: string) => ({
  candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP' }],
})

export const PROTOCOLS: readonly Protocol[] = [
  {
    path: /^\/(?:v1|v1beta\/openai)\/chat\/completions$/,
    whole: {
      id: 'chat-1',
      object: 'chat.completion',
      created,
      model: 'good',
      choices: [
        { index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    },
    events: [data(chunk('Hel')), data(chunk('lo')), data('[DONE]')],
    error: openAiError,
    wrongKey: openAiWrongKey,
  },
  {
    path: /^\/v1\/responses$/,
    whole: { ...response, output, usage: { ...usage, total_tokens: 2 } },
    events: [
      typed({ type: 'response.output_text.delta', ...delta, delta: 'Hel' }),
      typed({ type: 'response.output_text.delta', ...delta, delta: 'lo' }),
      typed({ type: 'response.completed', response: { ...response, output } }),
    ],
    error: openAiError,
    wrongKey: openAiWrongKey,
  },
  {
    path: /^(?:\/anthropic)?\/v1\/messages$/,
    whole: { ...claude, ...ended, content: [{ type: 'text', text: 'Hello' }], usage },
    events: [
      typed({
        type: 'message_start',
        message: { ...claude, content: [], stop_reason: null, usage },
      }) +
        typed({
          type: 'content_block_start',
          index: 0,
          content_block: { type: 'text', text: '' },
        }) +
        typed(claudeText('Hel')),
      typed(claudeText('lo')) + typed({ type: 'content_block_stop', index: 0 }),
      typed({ type: 'message_delta', delta: ended, usage }) + typed({ type: 'message_stop' }),
    ],
    error: { type: 'error', error: { type: 'invalid_request_error', message: 'Bad model' } },
    wrongKey: {
      status: 401,
      body: {
        type: 'error',
        error: { type: 'authentication_error', message: 'invalid x-api-key' },
      },
    },
  },
  {
    path: /^\/v1(?:beta)?\/models\/[^:]+:(?:stream)?[gG]enerateContent/,
    whole: candidates('Hello'),
    events: [data(candidates('Hel')), data(candidates('lo'))],
    error: { error: { code: 400, message: 'Bad model', status: 'INVALID_ARGUMENT' } },
    wrongKey: {
      status: 400,
      body: {
        error: {
          code: 400,
          message: 'API key not valid. Please pass a valid API key.',
          status: 'INVALID_ARGUMENT',
          details: [{ reason: 'API_KEY_INVALID', domain: 'googleapis.com' }],
        },
      },
    },
  },
]
