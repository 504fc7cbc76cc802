import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, expect, it } from 'vitest'
import { CALLERS, OTHER_HONO, type Project } from './callers.ts'
import { packTarball } from './tarball.ts'

const tarball = await packTarball()
const projects = mkdtempSync(join(tmpdir(), 'user-key-vault-callers-'))
afterAll(() => rmSync(projects, { recursive: true }))

const STRICT = {
  target: 'esnext',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
}

/** Makes a project outside this checkout, with the package installed. @returns its directory */
function makeProject({ compilerOptions, packages, files }: Project): string {
  const directory = mkdtempSync(join(projects, 'caller-'))
  const vault = join(directory, 'node_modules/user-key-vault')
  mkdirSync(vault, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', vault, '--strip-components=1'])
  for (const name of packages) install(name, directory)
  const config = {
    compilerOptions: { ...STRICT, ...compilerOptions },
    files: Object.keys(files),
  }
  const contents = {
    ...files,
    'tsconfig.json': JSON.stringify(config),
    'package.json': '{"type":"module"}',
  }
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(directory, name), text)
  return directory
}

/** Links one of this checkout's packages, or the checkout itself, so that nothing is downloaded. */
function install(name: string, directory: string): void {
  const link = join(directory, 'node_modules', name)
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(name === 'user-key-vault-worker' ? resolve('.') : resolve('node_modules', name), link)
}

/** Runs Node in the project. @returns what it printed, and its status */
function runNode(directory: string, ...args: string[]) {
  const options = { cwd: directory, encoding: 'utf8' } as const
  const { stdout, stderr, status } = spawnSync(process.execPath, args, options)
  return { printed: stdout + stderr, status }
}

const TSC = resolve('node_modules/typescript/bin/tsc')
const check = (directory: string) => runNode(directory, TSC, '-p', '.')

const SUCCESS = { printed: '', status: 0 }

it.for(CALLERS)(
  '%s type-checks, with all that it imports, and can be bundled',
  async ([, project]) => {
    const directory = makeProject(project)
    expect(check(directory)).toEqual(SUCCESS)
    const [entry = ''] = Object.keys(project.files)
    const { outputFiles } = await build({
      entryPoints: [join(directory, entry)],
      bundle: true,
      write: false,
      format: 'esm',
      external: ['cloudflare:*', 'node:*'],
      logLevel: 'silent',
    })
    expect(outputFiles).toHaveLength(1)
  },
)

it('a typed client of another version of Hono type-checks', () => {
  const directory = makeProject(OTHER_HONO)
  const own = join(directory, 'node_modules/hono')
  cpSync(resolve('node_modules/hono'), own, { recursive: true })
  const manifest = readFileSync(join(own, 'package.json'), 'utf8')
  writeFileSync(
    join(own, 'package.json'),
    manifest.replace(/"version": "[^"]+"/, '"version": "4.0.0"'),
  )
  install('hono', join(directory, 'node_modules/user-key-vault'))
  expect(check(directory)).toEqual(SUCCESS)
})

/** A project with nothing but the package. React itself is what its component is for. */
const BARE = { compilerOptions: {}, packages: ['react'], files: {} }
const ENTRIES = ['binding', 'browser', 'browser/zh-Hans', 'client', 'element', 'fetch', 'react']

interface Manifest {
  version: string
  exports: Record<string, unknown>
}

const readManifest = (path: string): Manifest => JSON.parse(readFileSync(path, 'utf8'))

it('the package has the version of the Worker', () => {
  expect(readManifest('src/callers/package.json').version).toBe(
    readManifest('package.json').version,
  )
})

it('the package has what callers import, in at most 262 KiB', () => {
  const vault = join(makeProject(BARE), 'node_modules/user-key-vault')
  const { exports } = readManifest(join(vault, 'package.json'))
  const names = Object.keys(exports).map((name) => name.slice(2).replace('*', 'zh-Hans'))
  expect(names.toSorted()).toEqual([...ENTRIES, 'package.json'].toSorted())
  const others = readdirSync(vault).filter((name) => !/^chunk-\w+\.js(?:\.map)?$/.test(name))
  const own = ['LICENSE', 'README.md', 'callers', 'package.json', 'page', 'shared']
  expect(others.toSorted()).toEqual(own)
  expect(statSync(tarball).size).toBeLessThanOrEqual(262 * 1_024)
})

it('npm installs the package alone', () => {
  const directory = mkdtempSync(join(projects, 'npm-'))
  writeFileSync(join(directory, 'package.json'), '{"private":true}')
  const options = { cwd: directory, encoding: 'utf8' } as const
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], options)
  const installed = readdirSync(join(directory, 'node_modules'))
  expect(installed.filter((name) => !name.startsWith('.'))).toEqual(['user-key-vault'])
})

it('each script of the package has a source map with its sources', () => {
  const vault = join(makeProject(BARE), 'node_modules/user-key-vault')
  const scripts = globSync('**/*.js', { cwd: vault })
  expect(scripts.length).toBeGreaterThan(5)
  for (const script of scripts) {
    const { sources, sourcesContent } = JSON.parse(
      readFileSync(join(vault, `${script}.map`), 'utf8'),
    )
    expect({ script, sources: sourcesContent.length }).toEqual({ script, sources: sources.length })
  }
})

/** The most bytes of each entry, bundled and gzipped, without the texts of other languages. */
const BUDGETS = Object.entries({
  browser: 6_000,
  'browser/zh-Hans': 3_000,
  element: 29_000,
  fetch: 2_500,
  react: 30_000,
})

it.for(BUDGETS)('user-key-vault/%s weighs at most %i bytes', async ([name, most]) => {
  const { outputFiles } = await build({
    stdin: { contents: `export * from 'user-key-vault/${name}'`, resolveDir: makeProject(BARE) },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    external: ['react'],
    logLevel: 'silent',
  })
  const [{ contents } = { contents: new Uint8Array() }] = outputFiles
  const bytes = gzipSync(contents, { level: 9 }).length
  expect(bytes).toBeGreaterThan(0)
  expect(bytes).toBeLessThanOrEqual(most)
})

it('each module of the package can be imported on a server that renders pages', () => {
  const directory = makeProject(BARE)
  for (const name of ENTRIES) {
    const code = `await import('user-key-vault/${name}')`
    const run = runNode(directory, '--input-type=module', '-e', code)
    expect({ name, ...run }).toEqual({ name, ...SUCCESS })
  }
})
