/** The package as a file, as a user gets it. */

import { makeCheckout } from './checkout.ts'

/** Builds the package in a copy of this checkout, and packs it. It is removed after the tests of the file. */
export async function packTarball(): Promise<string> {
  const checkout = makeCheckout()
  await checkout.script('prepare')
  return checkout.path(
    (await checkout.run('npm', 'pack', './build', '--silent', '--offline')).trim(),
  )
}
