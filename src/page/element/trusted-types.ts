/** A policy of Trusted Types, which a page may refuse: https://www.w3.org/TR/trusted-types/ */

/** Makes a value that the page accepts. It throws if the rule does. */
type Trust = (text: string) => unknown
type Kind = 'createHTML' | 'createScriptURL'
type Rules<Kinds extends Kind> = Record<Kinds, (text: string) => string>

interface PolicyFactory {
  createPolicy: <Kinds extends Kind>(name: string, rules: Rules<Kinds>) => Record<Kinds, Trust>
}

/** Returns undefined if the page allows no such name or has used it, or if the browser has no Trusted Types. */
export function createPolicy<Kinds extends Kind>(name: string, rules: Rules<Kinds>) {
  const { trustedTypes }: { trustedTypes?: PolicyFactory } = Object(globalThis)
  try {
    return trustedTypes?.createPolicy(name, rules)
  } catch {
    return undefined
  }
}

/**
 * The policy of the Lit in this bundle. scripts/lib/element.ts replaces Lit's own policy by it. A name can be used once, and
 * the page may have a Lit of its own, which uses `lit-html`. So that name comes second, for pages that allow no other.
 */
export function createLitPolicy() {
  // The page may load the script twice. The second copy renders nothing.
  if (customElements.get('api-key-settings') !== undefined) return undefined
  const rules = { createHTML: (html: string) => html }
  return createPolicy('api-key-settings', rules) ?? createPolicy('lit-html', rules)
}
