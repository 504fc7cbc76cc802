/**
 * Stands for a browser's tab: its language, its address, what it stores, and where it goes. Import it before the page's
 * modules, which read both when they are loaded.
 */

import { vi } from 'vitest'

export const ORIGIN = 'http://localhost:8787'

let address = new URL(ORIGIN)

/** What sessionStorage holds. */
export const stored = new Map<string, string>()

/** Where the tab was sent, and how: with an entry in its history (`assign`) or without one (`replace`). */
export const moves: { how: 'assign' | 'replace'; to: URL }[] = []

vi.stubGlobal('navigator', { languages: ['en'] })
vi.stubGlobal('location', {
  get href() {
    return address.href
  },
  get origin() {
    return address.origin
  },
  get hostname() {
    return address.hostname
  },
  get pathname() {
    return address.pathname
  },
  get search() {
    return address.search
  },
  get hash() {
    return address.hash
  },
  assign: (to: URL) => moves.push({ how: 'assign', to: new URL(to) }),
  replace: (to: URL) => moves.push({ how: 'replace', to: new URL(to) }),
})
vi.stubGlobal('history', {
  replaceState: (_state: null, _unused: string, to: string) => (address = new URL(to, address)),
})
vi.stubGlobal('sessionStorage', {
  getItem: (name: string) => stored.get(name) ?? null,
  setItem: (name: string, value: string) => stored.set(name, value),
  removeItem: (name: string) => stored.delete(name),
})

/** Opens a new tab at `url`. */
export function openTab(url = `${ORIGIN}/`): void {
  stored.clear()
  moves.length = 0
  visit(url)
}

/** Goes to `url` in the same tab. */
export function visit(url: string): void {
  address = new URL(url)
}

/** The address of the tab. */
export const readAddress = (): string => address.href
