/** The package as a file, as a user gets it. */

import { makeCheckout } from './checkout.ts'

/** Packs a copy of this checkout, which has no earlier build that could be packed. It is removed after the tests of the file. */
export async function packTarball(): Promise<string> {
  const checkout = makeCheckout()
  const pack = ['npm', 'pack', '--silent', '--offline', '--ignore-scripts=false']
  return checkout.path((await checkout.run(...pack)).trim())
}
