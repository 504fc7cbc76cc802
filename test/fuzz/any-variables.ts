/** Variables of any value, for the fuzz test. */

import * as fc from 'fast-check'
import { environment } from '../../src/environment.ts'
import { MARK } from './fuzz.ts'

const NAMES = Object.keys(environment)

/** What a variable may hold by mistake, in most of them a secret. */
const text = fc.oneof(
  fc.string({ maxLength: 40 }).map((some) => some + MARK),
  fc.string({ unit: 'binary', maxLength: 20 }).map((some) => MARK + some),
  fc.constantFrom(MARK, ` ${MARK}`, `${MARK},${MARK}`, `\uD800${MARK}`, MARK.repeat(10_000)),
  fc.constantFrom(`https://${MARK}.test`, `http://${MARK}.test`, `https://a:${MARK}@b.test/`),
  fc.constantFrom(`${'A'.repeat(31)}${MARK}=`, `${MARK}${'A'.repeat(30)}A=`, `-----BEGIN ${MARK}`),
)
/** Values near those that a variable takes. */
const near = fc.constantFrom(
  'true',
  'TRUE',
  'false',
  'openai',
  'openai,acme',
  'openai,',
  ',',
  '*',
  'openid',
  'openid  email',
  'null',
  '__proto__',
  'constructor',
  'o.id',
  'o.rol=admin',
  '=admin',
  'user_metadata.team',
  'https://a.test',
  'https://a.test/',
  'http://localhost:8787',
  'capacitor://localhost',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'x'.repeat(32),
  `${'A'.repeat(43)}=`,
  `${'_'.repeat(42)}8=`,
  `${'B'.repeat(42)}A=,${'B'.repeat(42)}A=`,
)
const number = fc.oneof(
  fc.constantFrom('0', '1', '-1', '1e3', '0x10', '٣', '40000', '40001', '9999', '99999', '1.5'),
  fc.integer().map(String),
)
const odd = fc.oneof(
  fc.constantFrom(undefined, null, 7, Number.NaN, true, 1n, [MARK], { prepare: MARK }),
  fc.jsonValue(),
)
const variable = fc.oneof(near, number, text, odd)

const anyField = fc.oneof(text, near, fc.jsonValue())
const provider = fc.record(
  {
    label: fc.oneof(fc.constant('Acme'), anyField),
    origin: fc.oneof(fc.constantFrom('https://api.acme.test', 'https://[::1]:1'), anyField),
    hosts: fc.oneof(fc.constantFrom(['*.a.test'], ['a.test:8443'], ['*'], []), fc.array(anyField)),
    header: fc.oneof(fc.constantFrom('x-acme-key', 'Host', 'é', '__proto__'), anyField),
    scheme: fc.oneof(fc.constantFrom('Bearer', 'Bearer '), anyField),
    headers: fc.oneof(fc.constantFrom({ 'x-v': '1' }, { 'x-v': 1 }, { __proto__: null }), anyField),
    parameter: anyField,
    request_headers: fc.oneof(fc.constantFrom(['x-*'], ['acme-*'], ['*']), fc.array(anyField)),
    probe: fc.oneof(fc.constantFrom('/v1/models', '//evil.test', '/\\evil.test'), anyField),
    refusals: fc.oneof(
      fc.constantFrom(
        [],
        [{ status: 401 }],
        [{ status: 500 }],
        [{ status: 401, field: 'a.b', value: MARK }],
      ),
      fc.array(anyField),
    ),
    key_page: anyField,
    key_prefixes: fc.array(anyField),
    api_key: text,
  },
  { requiredKeys: [], noNullPrototype: true },
)
const usual = {
  label: 'Acme',
  origin: 'https://api.acme.test',
  header: 'x-acme-key',
  probe: '/v1/models',
  refusals: [{ status: 401 }],
}
/** A provider with some fields that may be wrong. */
const nearly = fc
  .tuple(provider, fc.subarray(Object.entries(usual)))
  .map(([given, valid]) => Object.assign(given, Object.fromEntries(valid)))
const slot = fc.constantFrom(
  'acme',
  'openai',
  'default',
  '__proto__',
  'constructor',
  'A',
  '',
  'a'.repeat(41),
)
const table = fc.dictionary(slot, fc.oneof({ weight: 4, arbitrary: nearly }, anyField), {
  noNullPrototype: true,
})
const providers = fc.oneof(
  { weight: 3, arbitrary: table },
  { weight: 3, arbitrary: table.map((some) => JSON.stringify(some)) },
  table.map((some) => JSON.stringify(some).slice(0, -1)),
  fc.constantFrom('{"__proto__": {"origin": "https://evil.test"}}', '['.repeat(9_000), '{}', '[]'),
  variable,
)

/** Some variables, each with any value. */
export const anyVariables: fc.Arbitrary<Record<string, unknown>> = fc
  .subarray(
    NAMES.filter((name) => name !== 'DB'),
    { minLength: 1, maxLength: 3 },
  )
  .chain((names) =>
    fc.record(
      Object.fromEntries(names.map((name) => [name, name === 'PROVIDERS' ? providers : variable])),
      { noNullPrototype: true },
    ),
  )
