/** Checks a Worker that runs: its health, and a save with a token. */

import { decodeJwt } from 'jose'
import type { Settings } from '../../src/settings.ts'
import { isJsonObject } from '../../src/shared/json.ts'
import { npmCommand, wranglerCommand } from '../lib/advice.ts'
import { failed, ok, skipped, wrong, type Outcome } from './finding.ts'

const LIMIT_MS = 10_000
/** Where `npm run dev` has the vault. */
export const LOCAL_URL = 'http://localhost:8787'
const SLOT = 'openai:doctor'
const KEY = 'sk-made-up-by-the-doctor-0123456789'

/** Where the vault is; `isGuessed` if nobody has said so. */
export interface Vault {
  url: string
  isGuessed: boolean
}

/** Whether the vault says that it can serve. */
export async function checkRunning({ url, isGuessed }: Vault): Promise<Outcome> {
  try {
    const { status, body } = await ask(`${url}/api/health`)
    if (status === 200 && body['status'] === 'ok') return ok(`${url} is healthy.`)
    return wrong(
      `${url}/api/health answered ${nameAnswer({ status, body })}.`,
      body['code'] === undefined ? 'Check the URL.' : adviseLog(url),
    )
  } catch (error) {
    if (isGuessed) return skipped(`No vault runs at ${url}. --url names another address.`)
    return failed(error, 'Check the URL, and that the Worker is deployed.')
  }
}

function adviseLog(url: string): string {
  return isLocal(url)
    ? `Its terminal says why: the one of ${npmCommand('dev', { remote: false })}`
    : `The log says why: ${wranglerCommand('tail')}`
}

export function isLocal(url: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname)
}

/** The user of a token, as the vault reads it. */
export function userOf(token: string, settings: Settings | null): string {
  const claim = settings?.tokenRules.identityClaim ?? 'sub'
  return String(decodeJwt(token)[claim])
}

/** Saves a made-up key in a slot of the token's user, reads its preview, and deletes it. */
export async function checkSaveAt(url: string, token: string, user: string): Promise<Outcome> {
  const slot = `${url}/api/users/${encodeURIComponent(user)}/api-keys/${SLOT}`
  const call = async (method: string, more: object = {}, body?: string) => {
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      ...more,
    }
    return ask(method === 'PUT' ? `${slot}?verify=false` : slot, {
      method,
      headers,
      body: body ?? null,
    })
  }
  const saved = await call('PUT', { 'If-None-Match': '*' }, JSON.stringify({ api_key: KEY }))
  if (saved.status === 412)
    return skipped(`The slot ${SLOT} of ${user} has a key, and stays as it is.`)
  if (saved.status >= 400) return refused('save', saved)
  const read = await call('GET')
  const deleted = await call('DELETE')
  if (deleted.status >= 400) return refused('deletion', deleted)
  if (read.status >= 400) return refused('look', read)
  return ok(`A made-up key was saved for ${user}, read and deleted. Both are in the trail.`)
}

function refused(what: string, { status, body }: Answer): Outcome {
  const detail = typeof body['detail'] === 'string' ? ` ${body['detail']}` : ''
  return wrong(`The vault refused the ${what}: ${nameAnswer({ status, body })}.${detail}`)
}

function nameAnswer({ status, body }: Answer): string {
  const { code } = body
  return typeof code === 'string' ? `${status} ${code}` : `${status}, as no vault does`
}

interface Answer {
  status: number
  body: Record<string, unknown>
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const signal = AbortSignal.timeout(LIMIT_MS)
  const response = await fetch(url, { ...init, redirect: 'manual', signal })
  const body: unknown = await response.json().catch(() => null)
  return { status: response.status, body: isJsonObject(body) ? body : {} }
}
