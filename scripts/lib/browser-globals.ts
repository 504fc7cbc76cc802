/**
 * What the modules of the element read of a browser when they are loaded. esbuild puts these in the place of the globals, so that a server that
 * renders pages can import the modules: there, nothing is defined.
 */

const find = (name: string, instead: unknown): unknown => Reflect.get(globalThis, name) ?? instead

export const HTMLElement = find('HTMLElement', Object)
export const CSSStyleSheet = find('CSSStyleSheet', Object)
export const document = find('document', { createTreeWalker: () => null })
// It says that the element is there already, so the modules do not define it.
export const customElements = find('customElements', { get: () => Object })
