/** Adds to Node 24 the methods for base64 and hex that Workers have, since the Worker's own code needs them. */

/** With padding or without. */
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}(?:==)?|[A-Za-z\d+/]{3}=?)?$/

interface Options {
  alphabet?: 'base64' | 'base64url'
  omitPadding?: boolean
}

/** https://tc39.es/proposal-arraybuffer-base64/ */
export function addBase64(): void {
  const bytes: object = Uint8Array
  if ('fromBase64' in bytes) return
  Object.assign(Uint8Array, { fromBase64 })
  Object.assign(Uint8Array.prototype, { toBase64, toHex })
}

/** @throws SyntaxError if it is not in the alphabet */
function fromBase64(text: string, { alphabet = 'base64' }: Options = {}): Uint8Array {
  const packed = text.replaceAll(/[\t\n\f\r ]/g, '')
  const usual = packed.replaceAll('-', '+').replaceAll('_', '/')
  const isOther = alphabet === 'base64' ? packed !== usual : /[+/]/.test(packed)
  if (isOther || !BASE64.test(usual)) throw new SyntaxError(`It is not ${alphabet}`)
  return new Uint8Array(Buffer.from(usual, 'base64'))
}

function toBase64(this: Uint8Array, options: Options = {}): string {
  const text = Buffer.from(this).toString(options.alphabet ?? 'base64')
  if (options.omitPadding === true) return text.replaceAll('=', '')
  return text.padEnd(4 * Math.ceil(text.length / 4), '=')
}

function toHex(this: Uint8Array): string {
  return Buffer.from(this).toString('hex')
}
