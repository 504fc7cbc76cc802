/** `npm run release`: checks a version, and makes the files of its release. It publishes nothing. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitWith, makeCommand, runCommand } from './lib/command.ts'
import { findDistTag, findNotes, linkAbsolutely, nameReleaseFaults } from './lib/release.ts'
import { findBundled, listPackage, listWorker, type Lock, type Manifest } from './lib/sbom.ts'

const TARGET = 'release'

const release = makeCommand(
  'release',
  'Checks a version, and makes the files of its release in release/. Publishes nothing.',
)
  .argument(
    '[tag]',
    'the tag of the version, such as v1.0.0 (default: the version of package.json)',
  )
  .action(
    exitWith((given) => {
      const manifest = readManifest('package.json')
      const tag = given ?? `v${manifest.version}`
      const faults = nameFaults(tag)
      for (const fault of faults) console.error(fault)
      if (faults.length > 0) return 1
      makeFiles(tag, manifest)
      console.log(
        `${tag} is in ${TARGET}/. It is not signed and not published: .github/workflows/release.yml does that.`,
      )
      return 0
    }),
  )

await runCommand(release)

function makeFiles(tag: string, manifest: Manifest): void {
  rmSync(TARGET, { recursive: true, force: true })
  mkdirSync(TARGET)
  pack()
  writeSboms(manifest)
  write('notes.md', describe(tag))
  write('dist-tag', `${findDistTag(tag.slice(1), run('git', 'tag').split('\n'))}\n`)
  writeChecksums()
}

function nameFaults(tag: string): string[] {
  const files = ['package.json', 'package-lock.json', 'src/callers/package.json']
  const versions = files.map((file) => ({ file, version: readManifest(file).version }))
  const changelog = readFileSync('CHANGELOG.md', 'utf8')
  return nameReleaseFaults({
    tag,
    versions,
    changelog,
    changes: run('git', 'status', '--porcelain'),
  })
}

/** Builds and packs what callers install. The registry wants to know the repository that signs it. */
function pack(): void {
  run('npm', 'run', 'build')
  run('npm', 'run', 'prepare')
  const url = repositoryUrl()
  if (url !== null) {
    const repository = { type: 'git', url: `git+${url}.git` }
    const manifest = { ...readManifest('build/package.json'), repository }
    writeFileSync('build/package.json', `${JSON.stringify(manifest, null, 2)}\n`)
  }
  run('npm', 'pack', './build', '--silent', '--pack-destination', TARGET)
}

function writeSboms(manifest: Manifest): void {
  const lock: Lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  const worker = listWorker(manifest, lock)
  const packed = readManifest('build/package.json')
  const maps = globSync('build/**/*.map').map((path) => readFileSync(path, 'utf8'))
  write(`${manifest.name}-${manifest.version}.cdx.json`, JSON.stringify(worker, null, 2))
  const callers = listPackage(worker, packed, findBundled(maps))
  write(`${packed.name}-${packed.version}.cdx.json`, JSON.stringify(callers, null, 2))
}

/** The changelog of the version, for a page outside the repository. */
function describe(tag: string): string {
  const notes = findNotes(readFileSync('CHANGELOG.md', 'utf8'), tag.slice(1)) ?? ''
  const url = repositoryUrl()
  return url === null ? notes : linkAbsolutely(notes, `${url}/blob/${tag}`)
}

/** Prints the SHA-256 of each file that users download, and writes them as `sha256sum --check` reads them. */
function writeChecksums(): void {
  const files = readdirSync(TARGET).filter((name) => /\.(?:tgz|json)$/.test(name))
  const lines = files.map((name) => {
    const hash = createHash('sha256').update(readFileSync(join(TARGET, name)))
    return `${hash.digest('hex')}  ${name}\n`
  })
  write('SHA256SUMS', lines.join(''))
  process.stdout.write(lines.join(''))
}

function repositoryUrl(): string | null {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env
  return GITHUB_REPOSITORY === undefined ? null : `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8'))
}

function write(name: string, text: string): void {
  writeFileSync(join(TARGET, name), text)
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
