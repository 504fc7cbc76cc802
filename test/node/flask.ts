/** Tokens by the library whose tokens this service takes over: Debian's flask-jwt-extended. */

import { spawnSync } from 'node:child_process'
import { hasModule, PYTHON } from './python.ts'

const MINT = `
import json, sys
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token

user_id, secret = json.load(sys.stdin)
app = Flask('backend')
app.config['JWT_SECRET_KEY'] = secret
JWTManager(app)
with app.app_context():
    json.dump({'access': create_access_token(user_id), 'refresh': create_refresh_token(user_id)}, sys.stdout)
`

type Mint = (secret: string) => { access: string; refresh: string }

/**
 * A function that mints both tokens of `userId`, or null where the library is not installed.
 *
 * @throws Error where it is not installed and this is CI: .ci/run installs it
 */
export function mintFlaskTokens(userId: string): Mint | null {
  return hasModule('flask_jwt_extended') ? (secret) => mint(userId, secret) : null
}

function mint(userId: string, secret: string): ReturnType<Mint> {
  const input = JSON.stringify([userId, secret])
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', MINT], { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Python could not mint a token:\n${stderr}`)
  return JSON.parse(stdout)
}
