/** Variables of any value: each is either used as documented, or refused by its name and without its value. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { openService } from '../../src/service.ts'
import type { Settings } from '../../src/settings.ts'
import { isProviderName } from '../../src/providers/table.ts'
import { isConfidentialUrl } from '../../src/shared/confidential-url.ts'
import { anyVariables } from './any-variables.ts'
import { expectAlways, expectQuiet, FUZZED, MARK } from './fuzz.ts'
import { app, recordLogs, someEncryptionKey, URL_BASE } from '../support.ts'

/** Whether each setting is one that the documentation allows. */
function isSound({ providers: known, ...settings }: Settings): boolean {
  const { signIn, relay, tokenSources, revealers, encryptionKeys, foreign } = settings
  const areSafe = Array.from(known).every(([name, { origin, hosts, header }]) => {
    const isReached = origin === undefined ? (hosts?.length ?? 0) > 0 : isConfidentialUrl(origin)
    return isProviderName(name) && isReached && new Headers({ [header]: 'x' }).has(header)
  })
  const areKeys = [...encryptionKeys, ...(foreign?.secrets ?? [])].every(
    ({ length }) => length === 32,
  )
  const hasTokens =
    tokenSources.length > 0 &&
    tokenSources.every((source) => {
      if (source.kind === 'key_set') return isConfidentialUrl(source.url.href)
      return source.kind === 'secret' ? source.secret.length >= 8 : source.keys.length > 0
    })
  const { defaultProvider, rewrapRowsPerRun: rows, expiredKeptDays, eventsKeptDays } = settings
  const days = [expiredKeptDays, eventsKeptDays]
  return [
    areSafe && areKeys && encryptionKeys.length > 0 && hasTokens,
    signIn === null || (isConfidentialUrl(signIn.issuer) && signIn.scope.includes('openid')),
    relay === null || (relay.providers ?? []).every((name) => known.has(name)),
    revealers === 'all' || Array.isArray(revealers),
    defaultProvider === null || known.get(defaultProvider)?.origin !== undefined,
    Number.isInteger(rows) && rows >= 1 && rows <= 40_000,
    days.every((count) => Number.isInteger(count) && count >= 0 && count <= 9_999),
  ].every(Boolean)
}

/** Why the service does not start; null if it does. */
async function nameFault(vault: Env): Promise<string | null> {
  try {
    const { settings } = await openService(vault)
    return isSound(settings) ? null : 'unsound'
  } catch (error) {
    const isExpected = error instanceof VaultError && error.code === 'server_misconfigured'
    if (!isExpected || !(error.cause instanceof Error)) throw error
    return error.cause.message
  }
}

it('the service uses or refuses any value of any variable', FUZZED, async () => {
  const base = { ...env, API_KEY_ENCRYPTION_KEY: someEncryptionKey(), PROVIDERS: {} }
  const ask = async (path: string, vault: Env) =>
    app.fetch(new Request(URL_BASE + path), vault, createExecutionContext())
  const property = fc.asyncProperty(anyVariables, async (given) => {
    const logs = recordLogs()
    const vault: Env = Object.assign({ ...base }, given)
    const reason = await nameFault(vault)
    const answers = await Promise.all([ask('/api/health', vault), ask('/api/config', vault)])
    const statuses = answers.map(({ status }) => status)
    const shown = (await Promise.all(answers.map(async (answer) => answer.text()))).join('\n')
    const expected = reason === null ? [200, 200] : [503, 500]
    const unexpected = String(statuses) === String(expected) ? '' : logs.text()
    expect([statuses, unexpected]).toEqual([expected, ''])
    expect(reason === null || Object.keys(given).some((name) => reason.includes(name))).toBe(true)
    expectQuiet(reason ?? '')
    if (reason !== null) expectQuiet(shown)
    expect(logs.text()).not.toContain(MARK)
  })
  await expectAlways(property)
})
