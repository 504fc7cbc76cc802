import { describe, expect, it } from 'vitest'
import { describeRemark, examineKey, type Remark } from '../../../src/page/element/key-remark.ts'
import type { KeyReason } from '../../../src/shared/key-text.ts'
import { english, labelled, plainSlot, someSlot } from './shown.ts'

const openai = someSlot()
const deepseek = someSlot({ name: 'deepseek', provider: 'DeepSeek' })
const anthropic = someSlot({ name: 'anthropic', provider: 'Anthropic', keyPrefixes: ['sk-ant-'] })
const mistral = someSlot({ name: 'mistral', provider: 'Mistral', keyPrefixes: [] })
const azure = someSlot({
  name: 'azure',
  provider: 'Azure',
  keyPrefixes: ['az-'],
  hosts: ['*.test'],
})
const general = plainSlot()
const slots = [openai, deepseek, anthropic, mistral, azure, general]

const examine = (key: string, slot: typeof openai | undefined, offered = slots) =>
  examineKey(key, { slot, offered, slots })

describe('a malformed key', () => {
  const EXTRAS = 'There is more here than the key. Paste only the key.'
  const TEXTS: Record<Exclude<KeyReason, 'not_a_string'>, [key: string, text: string]> = {
    empty: ['', 'Enter a key.'],
    too_long: ['x'.repeat(8_193), 'This is too long to be a key.'],
    masked: ['sk-proj-...', 'This is a masked key. Paste the whole key.'],
    json: ['{"a": "b", "c": "d"}', 'This is a JSON document. Paste only the key.'],
    invisible_characters: ['sk-good\u200B-0123456789', EXTRAS],
    quotes: ['"sk-good-0123456789"', EXTRAS],
    brackets: ['<sk-good-0123456789>', EXTRAS],
    braces: ['{sk-good-0123456789}', EXTRAS],
    line_break: ['sk-good-0123456789\\n', EXTRAS],
    punctuation: ['sk-good-0123456789,', EXTRAS],
    comment: ['sk-good-0123456789 # mine', EXTRAS],
    option: ['-H sk-good-0123456789', EXTRAS],
    name: ['export OPENAI_API_KEY=sk-good-0123456789', EXTRAS],
    scheme: ['Bearer sk-good-0123456789', EXTRAS],
    white_space: ['sk-abc def', 'The key has white space at character 7.'],
    control: ['sk-\u0007abc', 'Character 4 cannot be part of an API key.'],
    non_ascii: ['sk-ключ', 'Character 4 cannot be part of an API key.'],
    service_account: [
      '{"type": "service_account", "private_key": "x"}',
      'This is a Google service account file, not an API key. Create an API key for Vertex AI or Gemini.',
    ],
    aws_keys: [
      '{"aws_secret_access_key": "x"}',
      'These are AWS access keys, not an API key. Create an Amazon Bedrock API key.',
    ],
    fernet_token: [`gAAAA${'x'.repeat(95)}`, 'This is not an API key.'],
    pem: ['-----BEGIN PRIVATE KEY-----', 'This is not an API key.'],
    url: ['https://api.openai.com', 'This is a URL, not an API key.'],
    placeholder: ['undefined', 'This is not an API key.'],
  }

  it.for(Object.entries(TEXTS))(
    'names what is wrong with a key, whatever provider is chosen: %s',
    ([reason, [key, text]]) => {
      for (const slot of [openai, azure, general, undefined]) {
        const remark = examine(key, slot)
        expect(remark).toMatchObject({ kind: 'fault', fault: { reason } })
        expect(remark && describeRemark(remark, english)).toBe(text)
      }
    },
  )
})

it('a key in a pasted command or file is more than the key', () => {
  for (const text of [
    'curl https://a.test -H "Authorization: Bearer sk-good-0123456789"',
    'PORT=3000 OPENAI_API_KEY=sk-good-0123456789',
  ]) {
    const remark = examine(text, undefined)
    expect(remark).toMatchObject({ kind: 'fault', fault: { extras: ['name'] } })
    expect(remark && describeRemark(remark, english)).toBe(
      'There is more here than the key. Paste only the key.',
    )
  }
})

describe('a key of a provider with several', () => {
  const several = [anthropic, labelled('work'), labelled('new', null)]

  it('a key fits each slot of its provider', () => {
    for (const slot of several.slice(1)) {
      expect(examineKey('sk-proj-1', { slot, offered: several, slots })).toBeNull()
    }
  })

  it('proposes the slot that is offered', () => {
    const offered = several.slice(1, 2)
    const remark = examineKey('sk-proj-1', {
      slot: undefined,
      offered,
      slots: [openai, ...several],
    })
    expect(remark && describeRemark(remark, english)).toBe(
      'Selected OpenAI: this looks like one of its keys.',
    )
    expect(remark).toMatchObject({ instead: { name: 'openai:work' } })
  })
})

describe('a key before a provider is chosen', () => {
  it.for([
    ['sk-ant-1', anthropic, 'Selected Anthropic: this looks like one of its keys.'],
    ['az-1', azure, 'Selected Azure: this looks like one of its keys.'],
  ] as const)('proposes the only provider with such keys: %s', ([key, instead, text]) => {
    const remark: Remark = { kind: 'proposal', instead }
    expect(examine(key, undefined)).toEqual(remark)
    expect(describeRemark(remark, english)).toBe(text)
  })

  it.for([
    ['of two providers', 'sk-proj-1', slots],
    ['of no known provider', 'unknown-1', slots],
    ['of a provider that is not offered', 'sk-ant-1', [openai, mistral]],
  ] as const)('proposes nothing for a key %s', ([, key, offered]) => {
    expect(examine(key, undefined, [...offered])).toBeNull()
  })
})

describe('a key for the chosen provider', () => {
  it.for([
    ['it is one of its own', 'sk-proj-1', openai],
    ['it is one of its own and of another', 'sk-proj-1', deepseek],
    ['nobody has such keys', 'unknown-1', openai],
    ['the slot has no provider', 'sk-ant-1', general],
    ['the address is the user’s own', 'sk-ant-1', azure],
  ] as const)('gets no remark if %s', ([, key, slot]) => {
    expect(examine(key, slot)).toBeNull()
  })

  it.for([
    [
      'of another provider, and names it',
      'sk-ant-1',
      mistral,
      [anthropic],
      anthropic,
      'This looks like an Anthropic key, not a Mistral one.',
    ],
    [
      'of two other providers, and proposes none',
      'sk-proj-1',
      mistral,
      [openai, deepseek],
      undefined,
      'This looks like an OpenAI or DeepSeek key, not a Mistral one.',
    ],
    [
      'of a provider that needs a base URL, and proposes it not',
      'az-1',
      openai,
      [azure],
      undefined,
      'This looks like an Azure key, not an OpenAI one.',
    ],
  ] as const)('asks about a key %s', ([, key, slot, likely, instead, text]) => {
    const remark: Remark = { kind: 'mismatch', slot, likely: [...likely], instead }
    expect(examine(key, slot)).toEqual(remark)
    expect(describeRemark(remark, english)).toBe(text)
  })

  it('asks about a key of a provider that is not offered, and proposes none', () => {
    const remark = { kind: 'mismatch', slot: mistral, likely: [anthropic], instead: undefined }
    expect(examine('sk-ant-1', mistral, [mistral, openai])).toEqual(remark)
  })
})

it('a choice that was not made is asked for', () => {
  expect(describeRemark({ kind: 'choice' }, english)).toBe('Choose a provider')
})

it('a key that is lost when the form closes asks for a second Escape', () => {
  const text = 'Press Escape again to discard the key that you typed.'
  expect(describeRemark({ kind: 'loss' }, english)).toBe(text)
})
