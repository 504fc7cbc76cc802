/** A browser without a window that reaches only this machine. */

import { chromium, type Browser } from 'playwright-core'

/** Starts the browser. `vault.test` is this machine; no other host can be reached. */
export async function openBrowser(executablePath: string): Promise<Browser> {
  const hosts = 'MAP vault.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'
  return chromium.launch({ executablePath, args: [`--host-resolver-rules=${hosts}`] })
}
