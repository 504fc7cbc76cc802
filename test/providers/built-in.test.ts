import { expect, it } from 'vitest'
import page from '../../docs/provider-answers.md?raw'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { provider as description, type Provider } from '../../src/providers/provider.ts'
import { findPattern } from '../../src/providers/answer-pattern.ts'
import { isProviderName } from '../../src/providers/table.ts'
import { namesIn, rowsUnder } from '../markdown.ts'
import { ANSWERS, OUT_OF_CREDIT } from './built-in-answers.ts'
import { HOSTILE } from './hostile-answers.ts'

const bytesOf = (body: object | string) =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))

function descriptionOf(provider: string): Provider {
  const known = BUILT_IN[provider]
  if (known === undefined) throw new Error(`${provider} is not built in`)
  return known
}

/** The patterns of a provider, each with what an answer says that fits it. */
const patternsOf = ({ refusals, exhausted = [] }: Provider) => [
  ...refusals.map((pattern) => ({ pattern, says: pattern.reason ?? 'unknown' })),
  ...exhausted.map((pattern) => ({ pattern, says: OUT_OF_CREDIT })),
]

/** What the vault finds in an answer. */
function saidIn(provider: string, status: number, body: object | string): string {
  const known = patternsOf(descriptionOf(provider))
  const patterns = known.map(({ pattern }) => pattern)
  const found = findPattern(patterns, status, bytesOf(body))
  return known.find(({ pattern }) => pattern === found)?.says ?? 'nothing'
}

it.for(Object.entries(BUILT_IN))('%s is a valid provider', ([name, provider]) => {
  expect(isProviderName(name)).toBe(true)
  expect(description.safeParse(provider)).toEqual({ success: true, data: provider })
})

it.for(ANSWERS)('$provider says $says: $about', ({ provider, says, status, body }) => {
  expect(saidIn(provider, status, body)).toBe(says)
})

it.for(HOSTILE)('%s says nothing: %s', ([provider, , status, body]) => {
  expect(saidIn(provider, status, body)).toBe('nothing')
})

it.for(Object.entries(BUILT_IN))(
  'each pattern of %s has an answer with a source',
  ([name, known]) => {
    const patterns = patternsOf(known).map(({ pattern }) => pattern)
    const answers = ANSWERS.filter(({ provider }) => provider === name)
    const found = new Set(
      answers.map(({ status, body }) => findPattern(patterns, status, bytesOf(body))),
    )
    expect(patterns.filter((pattern) => !found.has(pattern))).toEqual([])
  },
)

it.for(Object.entries(BUILT_IN))('the page says what each pattern of %s means', ([, known]) => {
  const rows = rowsUnder(page, `## ${known.label}`).map(([, status, cell, says]) => ({
    statuses: status?.split(', '),
    values: namesIn(cell).slice(1),
    says: namesIn(says),
  }))
  const missing = patternsOf(known).filter(
    ({ pattern: { status, value }, says }) =>
      !rows.some(
        (row) =>
          row.statuses?.includes(String(status)) === true &&
          row.values.includes(String(value)) &&
          row.says.includes(says),
      ),
  )
  expect(missing).toEqual([])
})

it('the page links the source of each answer that says something', () => {
  const sources = ANSWERS.filter(({ says }) => says !== 'nothing').map(({ source }) => source)
  expect(sources.filter((source) => !page.includes(`](${source})`))).toEqual([])
})

it('a provider has a billing page if it has exhausted answers, and only then', () => {
  const without = Object.entries(BUILT_IN).filter(
    ([, { exhausted, billing_page }]) => (exhausted === undefined) !== (billing_page === undefined),
  )
  expect(without).toEqual([])
})

it.for(Object.keys(BUILT_IN))(
  'an answer of %s proves nothing without one of its values',
  (provider) => {
    for (const status of [200, 400, 401, 402, 403, 429, 500]) {
      expect(saidIn(provider, status, {})).toBe('nothing')
    }
  },
)

/** What a caller may send and a provider may repeat: the value of each pattern, and the whole body of an answer. */
const values = Object.entries(BUILT_IN).flatMap(([name, known]) =>
  patternsOf(known).map(({ pattern: { status, value } }): [string, number, string] => [
    name,
    status,
    String(value),
  ]),
)
const bodies = ANSWERS.filter(({ says }) => says !== 'nothing').map(
  ({ provider, status, body }): [string, number, string] => [
    provider,
    status,
    JSON.stringify(body),
  ],
)

it.for([...values, ...bodies])(
  '%s says nothing of a key with what a caller sent: %i %s',
  ([provider, status, sent]) => {
    const message = `Unknown parameter: '${sent}'`
    const answers = [
      message,
      JSON.stringify(sent),
      { error: { message, param: sent, code: 'unknown_parameter', type: 'invalid_request_error' } },
      { error: message, code: 'invalid-argument', message, detail: message, input: sent },
      { detail: [{ loc: ['body', sent], msg: message, input: { error: { code: sent } } }] },
      [{ error: { message, details: [{ detail: sent, metadata: { reason: sent } }] } }],
    ]
    for (const answer of answers) expect(saidIn(provider, status, answer)).toBe('nothing')
  },
)
