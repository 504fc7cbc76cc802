/** Loads the settings element's script from the vault, under the policy of any page. */

import { createPolicy } from '../element/trusted-types.ts'

export interface ElementScript {
  /** Where the vault is. */
  baseUrl: string
  /** For a Content Security Policy with a nonce. */
  nonce: string | undefined
  /** Subresource Integrity. */
  integrity: string | undefined
}

/** The scripts by their URLs, while they load and once they run. */
const scripts = new Map<string, Promise<void>>()

/** The values for a page that requires Trusted Types, by their URLs: a name of a policy can be used once. */
const trusted = new Map<string, unknown>()

/**
 * Waits until the element is defined. Another call after a failure tries again.
 *
 * @throws Error if the script does not load, or does not define the element
 */
export async function loadElement(script: ElementScript): Promise<void> {
  if (isDefined()) return
  const { href } = new URL('/api-key-settings.js', script.baseUrl)
  const loading = scripts.get(href) ?? addScript(href, script)
  scripts.set(href, loading)
  await loading.catch((error: unknown) => {
    scripts.delete(href)
    throw error
  })
}

async function addScript(href: string, { nonce = '', integrity = '' }: ElementScript) {
  const script = document.createElement('script')
  const ended = new Promise<Event>((end) => {
    script.addEventListener('load', end)
    script.addEventListener('error', end)
  })
  const attributes = { type: 'module', crossOrigin: '', nonce, integrity }
  document.head.append(Object.assign(script, attributes, { src: trust(href) }))
  await ended
  // The page may also load the script itself, in a way that its policy allows.
  if (!isDefined() && document.readyState !== 'complete') {
    await new Promise((loaded) => addEventListener('load', loaded, { once: true }))
  }
  if (isDefined()) return
  script.remove()
  throw new Error(`${href} did not load, or could not run`)
}

function isDefined(): boolean {
  return customElements.get('api-key-settings') !== undefined
}

/** The policy makes one URL, whatever it is given. A page that refuses it may have a default policy. */
function trust(href: string): unknown {
  const known = trusted.get(href)
  if (known !== undefined) return known
  const policy = createPolicy('user-key-vault', { createScriptURL: () => href })
  const url = policy?.createScriptURL(href) ?? href
  trusted.set(href, url)
  return url
}
