/** Makes Fernet tokens with WebCrypto, since the tested code only opens them. */

import { base64url } from 'jose'

/** @param key signing-key ‖ encryption-key, 16 bytes each: https://github.com/fernet/spec */
export async function makeFernet(
  key: Uint8Array,
  iv: Uint8Array,
  seconds: number,
  text: Uint8Array,
) {
  const encryption = await crypto.subtle.importKey('raw', key.slice(16), 'AES-CBC', false, [
    'encrypt',
  ])
  const ciphertext = await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, encryption, text)
  const header = new Uint8Array(9)
  header[0] = 0x80
  new DataView(header.buffer).setBigUint64(1, BigInt(seconds))
  return signFernet(key, [...header, ...iv, ...new Uint8Array(ciphertext)])
}

/** Signs `version ‖ timestamp ‖ IV ‖ ciphertext`, and returns the token. */
export async function signFernet(key: Uint8Array, signed: number[]): Promise<string> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const signing = await crypto.subtle.importKey('raw', key.slice(0, 16), hmac, false, ['sign'])
  const tag = await crypto.subtle.sign('HMAC', signing, new Uint8Array(signed))
  const bytes = new Uint8Array([...signed, ...new Uint8Array(tag)])
  return base64url.encode(bytes) + '='.repeat((3 - (bytes.length % 3)) % 3)
}
