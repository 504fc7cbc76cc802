/** Files of any form to import, for the fuzz test. */

import * as fc from 'fast-check'
import { MARK } from '../../fuzz/fuzz.ts'

/** A key that somebody put into the file by mistake, or text beside it. */
const text = fc.oneof(
  fc.constantFrom(MARK, `sk-${MARK}`, `"${MARK}`, `'${MARK}';--`, `\u202E${MARK}`, `=${MARK}()`),
  fc.string({ unit: 'binary', maxLength: 20 }).map((some) => some + MARK),
  fc.constantFrom(
    '',
    'NULL',
    '\\N',
    'nan',
    '.',
    '..',
    '7.0',
    '\0',
    '\uFFFD',
    'a\tb',
    'x'.repeat(1_001),
  ),
)
const id = fc.oneof(
  { weight: 4, arbitrary: fc.nat().map((some) => `user-${some}`) },
  text,
  fc.constantFrom('ObjectId(507f1f77bcf86cd799439011)', '9007199254740993', '1e3'),
  fc.constantFrom(' 42 ', '\u200B42', '1.23E+15', '1,234', '="42"', '#REF!'),
)
const provider = fc.oneof(
  fc.constantFrom('openai', 'default', 'OpenAI', '__proto__', 'constructor', ''),
  text,
)

/** A token as some tool writes it, or a broken one. */
function tokenOf(tokens: readonly string[]): fc.Arbitrary<string> {
  const hex = (some: string) => Buffer.from(some).toString('hex')
  const forms = fc.constantFrom<(token: string) => string>(
    (token) => token,
    (token) => `\\x${hex(token)}`,
    (token) => `0x${hex(token)}`,
    (token) => `b'${token}'`,
    btoa,
    (token) => token.slice(0, -5),
    (token) => token + MARK,
    (token) => ` ${token}`,
    (token) => `enc:fernet:${token}`,
    (token) => `{v1}${btoa(token)}`,
    (token) => JSON.stringify({ key: token, other: MARK }),
    (token) => `${MARK}:${token}`,
    (token) => `${token},${token}`,
    (token) => `\\x${hex(token).slice(1)}`,
    () => `gAAAAA${MARK}`,
    () => `gAAAAABh${'A'.repeat(20_000)}`,
    () => `gP////////////${'A'.repeat(86)}==`,
  )
  return fc.tuple(fc.constantFrom(...tokens), forms).map(([token, form]) => form(token))
}

/** What a database tool may write for a value in JSON. */
function jsonOf(plain: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  const wrapped = fc.tuple(
    plain,
    fc.constantFrom('$oid', '$uuid', '$numberLong', '$binary', 'type'),
  )
  return fc.oneof(
    { weight: 5, arbitrary: plain },
    wrapped.map(([some, name]) => ({ [name]: some })),
    plain.map((some) => ({
      $binary: { base64: btoa(encodeURI(some.toWellFormed())), subType: '04' },
    })),
    plain.map((some) => Buffer.from(some).toJSON()),
    fc.constantFrom(
      null,
      7,
      -1,
      1.5,
      2 ** 60,
      true,
      [],
      {},
      { $binary: null },
      { $binary: [MARK] },
    ),
    fc.jsonValue(),
  )
}

/** A line of NDJSON, mostly a user. */
export function anyLine(tokens: readonly string[]): fc.Arbitrary<string> {
  const names = ['id', '_id', 'encrypted_api_key', 'provider', '__proto__', MARK]
  const other = fc.tuple(fc.constantFrom(...names), fc.jsonValue())
  const user = fc.tuple(jsonOf(id), jsonOf(tokenOf(tokens)), jsonOf(provider), other)
  const json = user.map(([userId, token, slot, [name, value]]) =>
    JSON.stringify({ id: userId, encrypted_api_key: token, [name]: value, provider: slot }),
  )
  const valid = fc
    .tuple(fc.nat(), fc.constantFrom(...tokens))
    .map(([some, token]) => JSON.stringify({ id: `user-${some}`, encrypted_api_key: token }))
  return fc.oneof(
    { weight: 4, arbitrary: json },
    { weight: 2, arbitrary: valid },
    json.map((some) => some.slice(0, -3)),
    fc.jsonValue().map((some) => JSON.stringify(some)),
    fc.constantFrom('', ' ', '[', '['.repeat(9_000), '{}', '{"id":"a\u2028b"}', 'null'),
    text.map((some) => some.toWellFormed().replaceAll(/[\n\r]/g, '')),
  )
}

/** The header and the rows of a table. */
export interface Table {
  header: string[]
  rows: string[][]
}

/** A table, mostly of users. */
export function anyTable(tokens: readonly string[]): fc.Arbitrary<Table> {
  const usual = ['id', 'encrypted_api_key', 'provider']
  const header = fc.oneof(
    { weight: 5, arbitrary: fc.constant(usual) },
    fc.shuffledSubarray([...usual, '_id', `sk-${MARK}`, 'id', '', 'e-mail']),
    fc.array(text, { maxLength: 4 }),
  )
  const row: fc.Arbitrary<string[]> = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(id, tokenOf(tokens), provider) },
    fc.array(fc.oneof(id, text, tokenOf(tokens)), { maxLength: 5 }),
  )
  return fc.record({ header, rows: fc.array(row, { maxLength: 8 }) })
}

/** How a table is written. */
export interface Form {
  quoted: boolean
  delimiter: string
  end: string
}

/** The text of a table, with quotes where they belong or not. */
export function csvOf({ header, rows }: Table, { quoted, delimiter, end }: Form): string {
  const cell = (some: string) => (quoted ? `"${some.replaceAll('"', '""')}"` : some)
  return [header, ...rows].map((cells) => cells.map(cell).join(delimiter)).join(end)
}
