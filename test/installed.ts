/** What some tests need of this machine. Without it they are skipped, and the run says so at its end. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Reporter, TestSpecification, Vitest } from 'vitest/node'
import { findBrowser } from './browser/find-browser.ts'

export const PYTHON = '/usr/bin/python3'
/** Where the SDKs of Python are. */
export const PYTHON_PATH = '.wrangler/python'

interface Part {
  /** The tests that are skipped without it. */
  tests: string
  /** The projects that have these tests. */
  projects: readonly string[]
  /** The command that installs it on Debian. */
  install: string
  find: () => boolean
  /** Whether CI may lack it. */
  isOptional?: boolean
}

const hasFiles = (...paths: string[]) => paths.every((path) => existsSync(path))
const hasModule = (name: string, PYTHONPATH?: string) =>
  spawnSync(PYTHON, ['-c', `import ${name}`], { env: { ...process.env, PYTHONPATH } }).status === 0

const PARTS = {
  chromium: {
    tests: 'the page and the element in a browser',
    projects: ['browser', 'browser-slow'],
    install: 'apt-get install chromium-headless-shell, or set CHROME_PATH',
    find: () => findBrowser() !== null,
  },
  firefox: {
    tests: 'the element in Firefox',
    projects: ['browser-slow'],
    install: 'apt-get install firefox-esr',
    find: () => hasFiles('/usr/bin/firefox-esr'),
  },
  webkit: {
    tests: 'the element in WebKit',
    projects: ['browser-slow'],
    install: 'apt-get install webkit2gtk-driver xvfb',
    find: () => hasFiles('/usr/bin/WebKitWebDriver', '/usr/bin/Xvfb'),
  },
  flask_jwt_extended: {
    tests: 'tokens of flask-jwt-extended',
    projects: ['node', 'node-slow'],
    install: 'apt-get install python3-python-flask-jwt-extended',
    find: () => hasModule('flask_jwt_extended'),
  },
  requests: {
    tests: 'the example for Flask',
    projects: ['node-slow'],
    install: 'apt-get install python3-requests',
    find: () => hasModule('requests'),
  },
  httpx: {
    tests: 'the example for httpx',
    projects: ['node-slow'],
    install: 'apt-get install python3-httpx',
    find: () => hasModule('httpx'),
  },
  cryptography: {
    tests: 'new Fernet rows, instead of recorded ones',
    projects: ['node', 'node-slow'],
    install: 'apt-get install python3-cryptography',
    find: () => hasModule('cryptography.fernet'),
  },
  python_sdks: {
    tests: 'errors in the SDKs of Python',
    projects: ['node-slow'],
    install: `${PYTHON} -m pip install --target ${PYTHON_PATH} --requirement test/node/requirements.txt`,
    find: () => hasModule('openai, anthropic, google.genai', PYTHON_PATH),
    isOptional: true,
  },
} satisfies Record<string, Part>

/** @throws Error in CI if the part is not installed: .ci/run installs it, unless it is optional */
export function isInstalled(name: keyof typeof PARTS): boolean {
  const { find, install, isOptional }: Part = PARTS[name]
  const isFound = find()
  if (!isFound && process.env['CI'] && isOptional !== true)
    throw new Error(`CI lacks ${name}: ${install}`)
  return isFound
}

/** Prints at the end which tests of the projects that ran were skipped. */
export class LeftOut implements Reporter {
  #vitest: Vitest | undefined
  #projects: string[] = []

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    const names = new Set(specifications.map(({ project }) => project.name))
    // A project that is left out as a whole has no files. One file is of one project.
    const all = this.#vitest?.projects ?? []
    this.#projects = names.size > 1 ? all.map(({ name }) => name) : [...names]
  }

  onTestRunEnd(): void {
    for (const { tests, install, projects, find } of Object.values<Part>(PARTS)) {
      const isPart = projects.some((name) => this.#projects.includes(name))
      if (isPart && !find()) console.log(`Skipped: ${tests} (${install})`)
    }
  }
}
