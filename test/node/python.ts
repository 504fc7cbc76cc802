/** Finds the Python packages of Debian that some tests compare with. */

import { spawnSync } from 'node:child_process'

export const PYTHON = '/usr/bin/python3'

const PACKAGES = {
  'cryptography.fernet': 'python3-cryptography',
  flask_jwt_extended: 'python3-python-flask-jwt-extended',
  requests: 'python3-requests',
}

type Module = keyof typeof PACKAGES

/** @throws Error in CI if the package is not installed: .ci/run installs it */
export function hasModule(module: Module): boolean {
  const installed = spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0
  if (!installed && process.env['CI']) throw new Error(`CI needs ${PACKAGES[module]}`)
  return installed
}

/** Vitest's global setup: prints at the end which packages were missing. */
export default function setup(): () => void {
  return () => {
    if (!hasModule('flask_jwt_extended')) {
      console.log(
        `Skipped: tokens of flask-jwt-extended (apt-get install ${PACKAGES.flask_jwt_extended})`,
      )
    }
    if (!hasModule('requests')) {
      console.log(`Skipped: the example for Flask (apt-get install ${PACKAGES.requests})`)
    }
    if (!hasModule('cryptography.fernet')) {
      console.log(
        `Used recorded Fernet rows instead of new ones (apt-get install ${PACKAGES['cryptography.fernet']})`,
      )
    }
  }
}
