import { expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { findProvider, isProviderName, providers } from '../../src/providers/table.ts'

const ACME = {
  label: 'Acme',
  origin: 'https://api.acme.test',
  header: 'x-acme-key',
  refusals: [{ status: 401 }],
}

/** The providers that `PROVIDERS` gives, by their names. */
const read = (given: unknown) => Object.fromEntries(providers.parse(given))

it.for(['a', 'acme', 'acme-2', 'a-', `a${'b'.repeat(39)}`])('a slot may have the name %j', (name) =>
  expect(isProviderName(name)).toBe(true),
)

it.for([
  '',
  'default',
  'Acme',
  '2acme',
  '-acme',
  'ac_me',
  'ac.me',
  'ac me',
  'acme\n',
  'acmé',
  `a${'b'.repeat(40)}`,
])('a slot may not have the name %j', (name) => expect(isProviderName(name)).toBe(false))

it.for([[undefined], [null], [{}], ['{}']])(
  'knows the built-in providers alone for %o',
  ([given]) => {
    expect(read(given)).toEqual(BUILT_IN)
  },
)

it.for<[form: string, given: unknown]>([
  ['a table', { acme: ACME }],
  ['JSON', JSON.stringify({ acme: ACME })],
])('adds the providers in %s to the built-in ones', ([, given]) => {
  expect(read(given)).toEqual({ ...BUILT_IN, acme: ACME })
})

it('replaces the fields that are given of a built-in provider, and no others', () => {
  const { openai } = read({ openai: { label: 'Ours', refusals: [] } })
  expect(openai).toEqual({ ...BUILT_IN['openai'], label: 'Ours', refusals: [] })
})

it.for<[what: string, name: string, given: object, probe: string | undefined]>([
  [
    'keeps a probe with another host beside its origin',
    'huggingface',
    { label: 'HF' },
    'https://huggingface.co/api/whoami-v2',
  ],
  [
    'does not send the key of another origin to the built-in host',
    'huggingface',
    { origin: 'https://gateway.test' },
    undefined,
  ],
  [
    'sends the key of another origin to the probe that comes with it',
    'huggingface',
    { origin: 'https://gateway.test', probe: '/me' },
    '/me',
  ],
  [
    'moves a probe that is a path to another origin',
    'openai',
    { origin: 'https://gateway.test' },
    '/v1/models',
  ],
  ['moves a probe that is a path to hosts', 'openai', { hosts: ['a.test'] }, '/v1/models'],
])('%s', ([, name, given, probe]) => {
  expect(read({ [name]: given })[name]?.probe).toBe(probe)
})

it('a built-in provider that gets hosts loses its origin', () => {
  const { openai } = read({ openai: { hosts: ['*.openai.azure.com'] } })
  expect(openai).toMatchObject({ hosts: ['*.openai.azure.com'] })
  expect(openai).not.toHaveProperty('origin')
})

it.for<[name: string, given: unknown, message: string]>([
  ['a text that is not JSON', '{', 'must be a table of providers'],
  ['JSON of another kind', '7', 'must be a table of providers'],
  ['a list', [], 'must be a table of providers'],
  ['a provider that is not a table', { acme: 'x' }, 'must be a table'],
  ['a provider without its fields', { acme: {} }, 'must be a string'],
  ['the name default', { default: ACME }, 'has an invalid provider name'],
  ['a name in upper case', { Acme: ACME }, 'has an invalid provider name'],
  ['an own field of every object', { constructor: {} }, 'must be a string'],
  ['a bad field of a built-in provider', { openai: { origin: 'x' } }, 'must be an https: origin'],
])('refuses %s as PROVIDERS', ([, given, message]) => {
  expect(JSON.stringify(providers.safeParse(given).error?.issues)).toContain(message)
})

it('finds the provider of a slot, and none for the default slot', () => {
  const known = providers.parse({ acme: ACME })
  expect(findProvider(known, 'acme')).toEqual(ACME)
  expect(findProvider(known, 'default')).toBeNull()
})

it('refuses an unknown slot, and names the known providers', () => {
  const known = providers.parse({ acme: ACME })
  const detail = `Known providers: ${[...Object.keys(BUILT_IN), 'acme'].join(', ')}.`
  const refusal = { code: 'unknown_provider', detail }
  expect(() => findProvider(known, 'nobody')).toThrow(expect.objectContaining(refusal))
})
