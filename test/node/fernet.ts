/** Rows of the previous backend. Python's cryptography makes them if it is installed; otherwise recorded ones. */

import { spawnSync } from 'node:child_process'
import recorded from '../crypto/vectors/python-cryptography-fernet.json' with { type: 'json' }
import { hasModule, PYTHON } from './python.ts'

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

/** @throws Error in CI if Python's cryptography is not installed: .ci/run installs it */
export function someFernetRows(): FernetRows {
  const apiKeys = recorded.tokens.map(({ apiKey }) => apiKey)
  const { key, tokens } = hasModule('cryptography.fernet')
    ? seal(apiKeys)
    : { ...recorded, tokens: recorded.tokens.map(({ token }) => token) }
  const users = apiKeys.map((apiKey, index) => ({
    id: `user ${index}, "it's"; é`,
    apiKey,
    token: tokens[index] ?? '',
  }))
  return { key, users }
}

function seal(apiKeys: string[]): { key: string; tokens: string[] } {
  const input = JSON.stringify(apiKeys)
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', SEAL], { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Python could not seal:\n${stderr}`)
  return JSON.parse(stdout)
}
