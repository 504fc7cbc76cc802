/** Any text for fast-check. Its own `unit: 'binary'` takes a second to build. */

import * as fc from 'fast-check'

const SURROGATES_START = 0xd8_00
const SURROGATES = 0x8_00

/** Any code point but a surrogate, since UTF-8 has none. */
const character = fc
  .nat({ max: 0x10_ff_ff - SURROGATES })
  .map((n) => String.fromCodePoint(n < SURROGATES_START ? n : n + SURROGATES))

/** A text of up to `maxLength` characters. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: character, maxLength })
}
