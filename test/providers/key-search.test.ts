import { describe, expect, it } from 'vitest'
import { keySearch } from '../../src/providers/key-search.ts'

const KEY = 'sk-Proj+0123/456789=="\\'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const base64 = (text: string) => bytesOf(text).toBase64()
const hex = (text: string) => bytesOf(text).toHex()
const url = (text: string) => bytesOf(text).toBase64({ alphabet: 'base64url', omitPadding: true })
const each = (text: string, encode: (code: number) => string) =>
  Array.from(text, (character) => encode(character.charCodeAt(0))).join('')
const percent = (text: string) => hex(text).replace(/../g, '%$&')
const unicode = (text: string) =>
  each(text, (code) => `\\u${code.toString(16).padStart(4, '0').toUpperCase()}`)
const json = (text: string) => JSON.stringify(text).slice(1, -1)
const slashed = (text: string) => json(text).replaceAll('/', '\\/')
const html = (text: string) => each(text, (code) => `&#${code};`)
const utf16 = (text: string) => each(text, (code) => `${String.fromCharCode(code)}\0`)

/** The text with `#` in the place of each part that holds the key. */
function hide(key: string, text: string, isCut = false): string {
  let [hidden, from] = ['', 0]
  for (const { start, end } of keySearch(key)(text, isCut)) {
    hidden += `${text.slice(from, start)}#`
    from = end
  }
  return hidden + text.slice(from)
}

const FORMS: [form: string, encode: (key: string) => string][] = [
  ['as it is', (key) => key],
  ['in another case', (key) => key.toUpperCase()],
  ['percent-encoded', encodeURIComponent],
  ['percent-encoded in every character', percent],
  ['percent-encoded twice', (key) => encodeURIComponent(encodeURIComponent(key))],
  ['in hex', hex],
  ['in upper-case hex', (key) => hex(key).toUpperCase()],
  ['in percent-encoded hex', (key) => percent(hex(key))],
  ['in a JSON string', json],
  ['in a JSON string with escaped slashes', slashed],
  ['in a JSON string with every character escaped', unicode],
  ['in a JSON string in a JSON string', (key) => json(slashed(key))],
  ['in a JSON string with every character escaped twice', (key) => json(unicode(key))],
  ['in a JSON string in a URL', (key) => encodeURIComponent(slashed(key))],
  ['percent-encoded in a JSON string', (key) => slashed(encodeURIComponent(key))],
  ['in a JavaScript string', (key) => hex(key).replace(/../g, '\\x$&')],
  ['in HTML', (key) => key.replaceAll('"', '&quot;').replaceAll('/', '&#x2F;')],
  ['in HTML with every character as a number', html],
  ['in a JSON string in HTML', (key) => json(key).replaceAll('"', '&quot;')],
  ['in UTF-16', utf16],
  ['in a JSON string in UTF-16', (key) => utf16(unicode(key))],
]

/** What surrounds the key in base64: the characters that hold bits of its neighbours stay. */
const IN_BASE64: [form: string, encode: (key: string) => string][] = [
  ['in base64', base64],
  ['in base64 after one other byte', (key) => base64(`:${key}`)],
  ['in base64 after two other bytes', (key) => base64(`u:${key}`)],
  ['in base64 of a whole Authorization header', (key) => base64(`Bearer ${key}`)],
  ['in base64 before other bytes', (key) => base64(`${key}, and more`)],
  ['in base64url', (key) => url(`Bearer ${key}`)],
  ['in base64 with escaped slashes', (key) => slashed(base64(key))],
  ['in percent-encoded base64', (key) => encodeURIComponent(base64(key))],
]

/** Keys that look like encodings of something else. */
const KEYS = [
  KEY,
  'AIzaSyA-0123456789abcdefghijklmnopqrst',
  'abc%41def%2Fgh',
  'abc\\u0041def\\/gh',
  'abc&#65;def&amp;gh',
  'AAAAAAAA',
  '00000000',
]

describe('a key in a text', () => {
  const all = KEYS.flatMap((key) =>
    FORMS.map(([form, encode]): [string, string, string] => [key, form, encode(key)]),
  )
  it.for(all)('finds the key %s %s, and nothing beside it', ([key, , encoded]) => {
    const around = (text: string) => `{"İ": "é ${text} 世"}`
    expect(hide(key, around(encoded))).toBe(around('#'))
  })

  const encoded = KEYS.flatMap((key) =>
    IN_BASE64.map(([form, encode]): [string, string, string] => [key, form, encode(key)]),
  )
  it.for(encoded)('finds the key %s %s', ([key, , text]) => {
    expect(keySearch(key)(text)).toHaveLength(1)
    expect(keySearch(key)(hide(key, text))).toEqual([])
  })

  it.for<[name: string, text: string]>([
    ['nothing', ''],
    ['another key', KEY.replace('9', '8')],
    ['the beginning of the key', KEY.slice(0, -1)],
    ['the end of the key', KEY.slice(1)],
    ['another key in base64', base64('Bearer sk-Proj+0123/456780')],
    ['broken escapes', '%4 %zz \\u00zz \\ &#; &# &nope; %'],
  ])('finds nothing in %s', ([, text]) => expect(keySearch(KEY)(text)).toEqual([]))

  it('finds each place, those that overlap as one', () => {
    expect(hide('abcXYabc', 'abcXYabcXYabc, abcXYabc abcxyabcabcXYabc')).toBe('#, # ##')
  })

  it.for<[text: string, hidden: string]>([
    ['application/json', 'application/json'],
    ['key=a; path=/', 'key=#; path=/'],
    ['{"key": "a"}', '{"key": "#"}'],
    ['{"message": "key \\"a\\" is bad"}', '{"message": "key \\"#\\" is bad"}'],
    ['line\\na\\nline', 'line\\n#\\nline'],
    ['The key is a.', 'The key is #.'],
    ['[a]', '[#]'],
    ['%22a%22', '%22#%22'],
    ['A', 'A'],
  ])('finds the short key "a" as a separate word alone: %s', ([text, hidden]) => {
    expect(hide('a', text)).toBe(hidden)
  })
})

describe('a text that is cut', () => {
  const cuts = FORMS.concat(IN_BASE64).flatMap(([form, encode]) => {
    const text = encode(KEY)
    return Array.from(text, (_, at): [string, string] => [form, text.slice(0, at)])
  })

  it('leaves no beginning of the key at its end, in any form', () => {
    for (const [form, start] of cuts) {
      const left = hide(KEY, `the key is ${start}`, true).replace(/#$/, '')
      const more = left.replace('the key is ', '')
      // What depends on the neighbours of a key in base64 stays: it comes before the key.
      expect([form, more.length <= 14 || !start.startsWith(more)]).toEqual([form, true])
    }
  })

  it.for<[text: string, hidden: string]>([
    ['the key is sk-Proj+0', 'the key is #'],
    ['the key is sk-Proj\\u002', 'the key is #'],
    ['the key is sk-Proj\\\\u002', 'the key is #'],
    ['the key is sk-Proj%252', 'the key is #'],
    ['the key is sk-Proj&#4', 'the key is #'],
    ['the end', 'the end'],
    ['the end\\u00', 'the end\\u00'],
  ])('ends before the key in %s', ([text, hidden]) => {
    expect(hide(KEY, text, true)).toBe(hidden)
    expect(hide(KEY, text)).toBe(text)
  })

  it('ends before the beginning of a short key', () => {
    expect(hide('abcdef', 'key: abc', true)).toBe('key: #')
    expect(hide('abcdef', 'key: abd', true)).toBe('key: abd')
  })
})

/** Texts and keys for which a search may take the product of their lengths. */
const LONG: [name: string, key: string, text: string][] = [
  [
    'one character, and a key with another in its middle',
    `${'a'.repeat(4_096)}b${'a'.repeat(4_095)}`,
    'a'.repeat(262_144),
  ],
  [
    'one character, and a key with another at its start',
    `b${'a'.repeat(8_191)}`,
    'a'.repeat(262_144),
  ],
  [
    'one character, and a key with another at its end',
    `${'a'.repeat(8_191)}b`,
    'a'.repeat(262_144),
  ],
  ['the key again and again', 'ab'.repeat(8), 'ab'.repeat(131_072)],
  ['backslashes', `${'\\'.repeat(4_096)}b`, '\\'.repeat(262_144)],
  ['escapes of JSON', 'A'.repeat(8_192), '\\u0041'.repeat(43_690)],
  ['percent signs', `${'%'.repeat(4_096)}b`, '%25'.repeat(87_381)],
  ['ampersands', `${'&'.repeat(4_096)}b`, '&amp;'.repeat(52_428)],
  ['base64 of zeros', '\0'.repeat(8_192), 'A'.repeat(262_144)],
  ['NUL', 'a'.repeat(8_192), 'a\0'.repeat(131_072)],
  ['short words', 'a', 'a '.repeat(131_072)],
]

it.for(LONG)('searches 256 KiB of %s in a time that is linear', ([, key, text]) => {
  const times = [1, 2, 3].map(() => {
    const startedAt = performance.now()
    keySearch(key)(text, true)
    return performance.now() - startedAt
  })
  // The product of the lengths would take seconds. A busy machine gets the rest.
  expect(Math.min(...times)).toBeLessThan(1_000)
})
