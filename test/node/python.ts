/** The Python packages of Debian that some tests compare with, where they are installed. */

import { spawnSync } from 'node:child_process'

export const PYTHON = '/usr/bin/python3'

const PACKAGES = {
  'cryptography.fernet': 'python3-cryptography',
  flask_jwt_extended: 'python3-python-flask-jwt-extended',
}

type Module = keyof typeof PACKAGES

/** @throws Error if it is not installed and this is CI: .ci/run installs it */
export function hasModule(module: Module): boolean {
  const installed = spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0
  if (!installed && process.env['CI']) throw new Error(`CI needs ${PACKAGES[module]}`)
  return installed
}

/** Vitest's global setup: says at the end what could not be compared here. */
export default function setup(): () => void {
  return () => {
    if (!hasModule('flask_jwt_extended')) {
      console.log(
        `Skipped: tokens of flask-jwt-extended (apt-get install ${PACKAGES.flask_jwt_extended})`,
      )
    }
    if (!hasModule('cryptography.fernet')) {
      console.log(
        `Recorded Fernet rows stood in for new ones (apt-get install ${PACKAGES['cryptography.fernet']})`,
      )
    }
  }
}
