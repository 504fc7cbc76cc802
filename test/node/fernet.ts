/** Rows of the Flask backend. Python's cryptography makes them if it is installed; otherwise recorded ones. */

import { spawnSync } from 'node:child_process'
import recorded from '../import/vectors/python-cryptography-fernet.json' with { type: 'json' }
import { isInstalled, PYTHON } from '../installed.ts'

const SEAL = `
import json, sys
from cryptography.fernet import Fernet

key = Fernet.generate_key()
tokens = [Fernet(key).encrypt(api_key.encode()).decode() for api_key in json.load(sys.stdin)]
json.dump({'key': key.decode(), 'tokens': tokens}, sys.stdout)
`

/** A Fernet key, and the users whose keys were sealed with it. */
export interface FernetRows {
  key: string
  users: { id: string; apiKey: string; token: string }[]
}

/** Rows that were made once. */
export function recordedFernetRows(): FernetRows {
  return { key: recorded.key, users: toUsers(recorded.tokens.map(({ token }) => token)) }
}

/** @throws Error in CI if Python's cryptography is not installed: .ci/run installs it */
export function someFernetRows(): FernetRows {
  if (!isInstalled('cryptography')) return recordedFernetRows()
  const { key, tokens } = seal(recorded.tokens.map(({ apiKey }) => apiKey))
  return { key, users: toUsers(tokens) }
}

/** An export of the Flask backend. */
export function csvOf(users: { id: string; token: string }[]): string {
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`
  const lines = users.map(({ id, token }) => `someone@example.com,${token},${cell(id)}`)
  return ['email,encrypted_api_key,id', ...lines].join('\r\n')
}

function toUsers(tokens: string[]): FernetRows['users'] {
  return recorded.tokens.map(({ apiKey }, index) => ({
    id: `user ${index}, "it's"; é`,
    apiKey,
    token: tokens[index] ?? '',
  }))
}

function seal(apiKeys: string[]): { key: string; tokens: string[] } {
  const input = JSON.stringify(apiKeys)
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', SEAL], { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Python could not seal:\n${stderr}`)
  return JSON.parse(stdout)
}
