import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
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

/** Links one of this checkout's packages, so that nothing is downloaded. */
function install(name: string, directory: string): void {
  const link = join(directory, 'node_modules', name)
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(resolve('node_modules', name), link)
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

/** A project with the package, and with what it needs. */
const BARE = { compilerOptions: {}, packages: ['hono', 'lit', 'react', 'zod'], files: {} }

it('the package has what callers import and the migrations, in at most 262 KiB', () => {
  const vault = join(makeProject(BARE), 'node_modules/user-key-vault')
  expect(readdirSync(vault).toSorted()).toEqual(['build', 'migrations', 'package.json'])
  expect(existsSync(join(vault, 'build/src/page'))).toBe(false)
  expect(statSync(tarball).size).toBeLessThanOrEqual(262 * 1_024)
})

it('the package has no source that only the commands of this project import', () => {
  const entries = ['', '/api-keys', '/jobs'].map((name) => `import 'user-key-vault${name}'`)
  const directory = makeProject({
    compilerOptions: { module: 'esnext', moduleResolution: 'bundler', lib: ['esnext'] },
    packages: ['@cloudflare/workers-types', 'hono', 'jose', 'zod'],
    files: { 'worker.ts': entries.join('\n') },
  })
  const { printed } = runNode(directory, TSC, '-p', '.', '--listFilesOnly')
  const imported = Array.from(
    printed.matchAll(/user-key-vault\/build\/src\/(.*)/g),
    ([, path = '']) => path,
  )
  const source = join(directory, 'node_modules/user-key-vault/build/src')
  const packed = readdirSync(source, { recursive: true, encoding: 'utf8' })
  expect(packed.filter((path) => path.endsWith('.ts')).toSorted()).toEqual(imported.toSorted())
})

it('each module of the package can be imported on a server that renders pages', () => {
  const directory = makeProject(BARE)
  for (const name of [
    'binding',
    'browser',
    'browser/zh-Hans',
    'client',
    'fetch',
    'element',
    'react',
  ]) {
    const code = `await import('user-key-vault/${name}')`
    const run = runNode(directory, '--input-type=module', '-e', code)
    expect({ name, ...run }).toEqual({ name, ...SUCCESS })
  }
})
