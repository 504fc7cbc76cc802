/** Makes tokens with flask-jwt-extended from Debian, whose tokens this service accepts. */

import { spawnSync } from 'node:child_process'
import { hasModule, PYTHON } from './python.ts'

const MINT = `
import json, sys
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token

identity, config = json.load(sys.stdin)
app = Flask('backend')
app.config.update(config)
JWTManager(app)
with app.app_context():
    claims = {'scope': 'relay'}
    json.dump({'access': create_access_token(identity, additional_claims=claims), 'refresh': create_refresh_token(identity)}, sys.stdout)
`

type Identity = string | number
type Mint = (secret: string) => { access: string; refresh: string }

/**
 * A function that mints the access and the refresh token of `identity`; null if the library is not
 * installed. `claim` is the library's setting `JWT_IDENTITY_CLAIM`.
 *
 * @throws Error in CI if the library is not installed: .ci/run installs it
 */
export function mintFlaskTokens(identity: Identity, claim = 'sub'): Mint | null {
  return hasModule('flask_jwt_extended')
    ? (secret) => mint(identity, { JWT_SECRET_KEY: secret, JWT_IDENTITY_CLAIM: claim })
    : null
}

function mint(identity: Identity, config: Record<string, string>): ReturnType<Mint> {
  const input = JSON.stringify([identity, config])
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', MINT], { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Python could not mint a token:\n${stderr}`)
  return JSON.parse(stdout)
}
