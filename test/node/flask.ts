/** Makes tokens with flask-jwt-extended from Debian, whose tokens this service accepts. */

import { spawnSync } from 'node:child_process'
import { PYTHON } from '../installed.ts'

const MINT = `
import json, sys
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token

def mint(secret, identity, claim='sub', private_key=None):
    app = Flask('backend')
    app.config.update({'JWT_SECRET_KEY': secret, 'JWT_IDENTITY_CLAIM': claim})
    if private_key:
        app.config.update({'JWT_ALGORITHM': 'RS256', 'JWT_PRIVATE_KEY': private_key})
    JWTManager(app)
    with app.app_context():
        access = create_access_token(identity, additional_claims={'scope': 'relay'})
        return {'access': access, 'refresh': create_refresh_token(identity)}

json.dump([mint(**backend) for backend in json.load(sys.stdin)], sys.stdout)
`

/** A backend that signs tokens of one user. `claim` is the library's setting \`JWT_IDENTITY_CLAIM\`. */
export interface FlaskBackend {
  secret: string
  identity: string | number
  claim?: string
  /** In PEM. The backend then signs with RS256. */
  private_key?: string
}

/** What a backend signs. */
export interface FlaskTokens {
  access: string
  refresh: string
}

/** Mints the tokens of each backend. It needs \`flask_jwt_extended\`. */
export function mintFlaskTokens(backends: readonly FlaskBackend[]): FlaskTokens[] {
  const input = JSON.stringify(backends)
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', MINT], { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`Python could not mint a token:\n${stderr}`)
  return JSON.parse(stdout)
}
