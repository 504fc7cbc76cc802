/** What the workflows and the bot of `.github/` may do, read as text. */

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, matchesGlob } from 'node:path'
import { expect, it } from 'vitest'

const WORKFLOWS = globSync('.github/workflows/*.{yml,yaml}')
const read = (path: string): string => readFileSync(path, 'utf8')
const release = read('.github/workflows/release.yml')

/** The text of a job, without those after it. */
function jobText(name: string): string {
  return new RegExp(`^  ${name}:\n(?:(?: {4}.*)?\n)*`, 'm').exec(release)?.[0] ?? ''
}

it.for(WORKFLOWS)('every action of %s is pinned by the hash of a commit', (path) => {
  const uses = Array.from(read(path).matchAll(/\buses:(.*)/g), ([, action = '']) => action.trim())
  expect(uses.length).toBeGreaterThan(0)
  const pinned =
    /^\.\/\.github\/workflows\/[\w-]+\.yml$|^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/
  expect(uses.filter((action) => !pinned.test(action))).toEqual([])
})

it('all workflows use the same commit of an action', () => {
  const uses = WORKFLOWS.flatMap((path) => read(path).match(/uses: [^.].*/g) ?? [])
  const actions = new Set(uses)
  expect(new Set([...actions].map((action) => action.split('@')[0])).size).toBe(actions.size)
})

it.for(WORKFLOWS)('%s reads no secret, and no expression in a command', (path) => {
  expect(read(path)).not.toMatch(/secrets[.[]/)
  expect(read(path)).not.toMatch(/run:.*\$\{\{ *(?:github|inputs|env)\b/)
  expect(read(path)).not.toMatch(/pull_request_target|workflow_run/)
})

it.for(WORKFLOWS)('%s leaves no token in a checkout', (path) => {
  const checkouts = read(path).match(/uses: actions\/checkout@/g) ?? []
  expect(read(path).match(/persist-credentials: false/g)?.length).toBe(checkouts.length)
})

it.for<[job: string, permissions: string[]]>([
  ['test', ['contents: read']],
  ['build', ['contents: read']],
  ['publish', ['id-token: write', 'attestations: write']],
  ['announce', ['contents: write']],
])('the job %s of a release may do only %j', ([job, permissions]) => {
  expect(release).toMatch(/^permissions: \{\}$/m)
  const [, granted = ''] = /^ {4}permissions:\n((?: {6}.*\n)*)/m.exec(jobText(job)) ?? []
  expect(granted.trim().split(/\n +/)).toEqual(permissions)
})

it('a release is published after tests and an approval, by a job without code of the repository', () => {
  const publish = jobText('publish')
  expect(publish).toContain('needs: [test, build]')
  expect(publish).toContain('environment: release')
  expect(publish).not.toMatch(/actions\/checkout|npm (?:ci|install|run)/)
})

it('CI runs on each Node that a contributor may have', () => {
  const ci = read('.github/workflows/ci.yml')
  const nodes = Array.from(ci.matchAll(/node: (\d+),/g), ([, node]) => node)
  expect(nodes).toEqual(['20', '22', '24'])
  const { engines }: { engines: { node: string } } = JSON.parse(read('package.json'))
  expect(engines.node).toBe(`>=${nodes[0]}`)
})

it('the bot updates each lock file', () => {
  const bot = read('.github/dependabot.yml')
  const folders = Array.from(bot.matchAll(/director(?:y|ies): \[?([^\]\n]*)/g), ([, folder = '']) =>
    join('.', folder, 'package-lock.json'),
  )
  const locks = globSync('**/package-lock.json', { exclude: ['**/node_modules/**', '.*/**'] })
  expect(locks.map(dirname)).toContain('test/browser/frameworks/react')
  expect(locks.filter((lock) => !folders.some((folder) => matchesGlob(lock, folder)))).toEqual([])
})
