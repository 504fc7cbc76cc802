import { expect, it, onTestFinished, vi } from 'vitest'
import { KEY_PREFIXES } from '../../../scripts/lib/element.ts'
import { examineKey } from '../../../src/callers/browser/examine.ts'

const SLOTS = [
  { provider: 'openai', key_prefixes: ['sk-'] },
  { provider: 'openai:work', key_prefixes: ['sk-'] },
  { provider: 'anthropic', key_prefixes: ['sk-ant-'] },
  { provider: 'acme', key_prefixes: [] },
]

it('a key is itself, without white space around it', () => {
  expect(examineKey(' sk-ant-0123456789\n', SLOTS)).toEqual({
    key: 'sk-ant-0123456789',
    fault: null,
    providers: ['anthropic'],
  })
})

it('a provider is named once, whatever slots it has', () => {
  expect(examineKey('sk-0123456789', SLOTS).providers).toEqual(['openai'])
})

it('a key of no known beginning is of no provider', () => {
  expect(examineKey('0123456789', SLOTS)).toMatchObject({ key: '0123456789', providers: [] })
})

it('a key in a pasted command is offered, with what is wrong with the text', () => {
  const text = 'curl https://a.test -H "x-api-key: sk-ant-0123456789"'
  expect(examineKey(text, SLOTS)).toMatchObject({
    key: 'sk-ant-0123456789',
    fault: { code: 'api_key_invalid', reason: 'name' },
    providers: ['anthropic'],
  })
})

it.for<[text: string, reason: string, index: number | undefined]>([
  ['', 'empty', undefined],
  ['sk-ab cd', 'white_space', 5],
  ['sk-ключ', 'non_ascii', 3],
  ['sk-…', 'masked', undefined],
])('says why %j is not a key', ([text, reason, index]) => {
  const { key, fault, providers } = examineKey(text, SLOTS)
  expect([key, fault?.reason, fault?.index, providers]).toEqual([null, reason, index, []])
})

it('the built-in providers are known without a list', () => {
  vi.stubGlobal('KEY_PREFIXES', KEY_PREFIXES)
  onTestFinished(() => {
    vi.unstubAllGlobals()
  })
  expect(examineKey('gsk_0123456789').providers).toEqual(['groq'])
})
