/** Slots, keys and languages as the element shows them, and a clock. */

import { readFileSync } from 'node:fs'
import { onTestFinished, vi } from 'vitest'
import { PANEL_TEXTS } from '../../../src/page/element/panel-texts.ts'
import { Language } from '../../../src/page/element/language.ts'
import type { ShownKey, ShownSlot } from '../../../src/page/element/slot.ts'

export const NOON = '2026-06-15T12:00:00.000Z'
export const DAY_MS = 24 * 60 * 60 * 1_000

/** With what only some panels say. */
export const english = new Language('en', PANEL_TEXTS)

/** The texts of `src/page/element/languages/`. */
export function readTexts(name: string): Record<string, string> {
  return JSON.parse(readFileSync(`src/page/element/languages/${name}.json`, 'utf8'))
}

/** A language with the texts that the element has in it. */
export function translated(name: string): Language {
  return new Language(name, readTexts(name))
}

/** For the current test, it is `now`, and the reader is in the time zone `zone`. */
export function setClock(now: string | number = NOON, zone = 'UTC'): void {
  vi.stubEnv('TZ', zone)
  vi.setSystemTime(now)
  onTestFinished(() => {
    vi.useRealTimers()
    vi.unstubAllEnvs()
  })
}

/** The time so many days after noon. */
export function daysAfterNoon(days: number): string {
  return new Date(Date.parse(NOON) + days * DAY_MS).toISOString()
}

/** A key that OpenAI accepted, and that was never used. */
export function someKey(changes: Partial<ShownKey> = {}): ShownKey {
  return {
    preview: 'sk-good-...',
    status: 'active',
    exhaustedAt: null,
    savedAt: '2026-06-14T12:00:00.000Z',
    isFromOperator: false,
    usedAt: null,
    testedAt: null,
    expiresAt: null,
    isPaused: false,
    callers: null,
    maxUses: null,
    maxUsesPerMember: null,
    baseUrl: null,
    sameIn: [],
    ...changes,
  }
}

/** The entity tag of {@link someKey}. */
export const ETAG = '"0123abcd.1"'

/** Where OpenAI's users add credit. */
export const BILLING_PAGE = 'https://platform.openai.com/settings/organization/billing/overview'

/** The slot of OpenAI, which is empty. */
export function someSlot(changes: Partial<ShownSlot> = {}): ShownSlot {
  return {
    name: 'openai',
    provider: 'OpenAI',
    label: null,
    keyPage: 'https://platform.openai.com/api-keys',
    billingPage: BILLING_PAGE,
    keyPrefixes: ['sk-'],
    hosts: null,
    key: null,
    etag: changes.key ? ETAG : null,
    lag: 0,
    ...changes,
  }
}

/** A slot of OpenAI with a label. */
export function labelled(label: string, key: ShownSlot['key'] = someKey()): ShownSlot {
  return someSlot({ name: `openai:${label}`, label, key })
}

/** A slot of no provider that is offered. */
function nobodysSlot(name: string, key: ShownSlot['key']): ShownSlot {
  return someSlot({ name, provider: null, keyPage: null, billingPage: null, keyPrefixes: [], key })
}

/** The slot of the plain route. */
export function plainSlot(key: ShownSlot['key'] = null): ShownSlot {
  return nobodysSlot('default', key)
}

/** A slot whose provider is no longer offered. */
export function goneSlot(key: ShownSlot['key'] = someKey()): ShownSlot {
  return nobodysSlot('gone', key)
}
