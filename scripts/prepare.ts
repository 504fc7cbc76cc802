/** `npm run prepare`: what callers import from the package, in `build/`: minified JavaScript with its types, and the sources of the Worker. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { build } from 'esbuild'
import { ELEMENT_OPTIONS, minifyAgain, packLanguages, packTemplates } from './lib/element.ts'
import { LANGUAGE_TYPES, packProblems } from './lib/problem-languages.ts'
import { packSources } from './lib/packed-sources.ts'
import { writePlainTypes } from './lib/plain-types.ts'
import { removeUnusedTypes } from './lib/unused-types.ts'

const TARGET = 'build'
/** What a Worker of the caller's own bundles. */
const SOURCES = ['src/index.ts', 'src/http/api-keys.ts', 'src/jobs.ts']

rmSync(TARGET, { recursive: true, force: true })
const { outputFiles } = await build({
  ...ELEMENT_OPTIONS,
  entryPoints: [
    ...[
      'callers/binding',
      'callers/browser',
      'callers/client',
      'callers/fetch',
      'page/react/api-key-settings',
    ].map((name) => ({ in: `src/${name}.ts`, out: name })),
    { in: 'src/page/element/definitions.ts', out: 'page/element/api-key-settings' },
  ],
  outdir: TARGET,
  write: false,
  // The application bundles its own copies, such as one Lit for all its elements.
  packages: 'external',
  minify: true,
  // The element has most of the client in it.
  splitting: true,
  logLevel: 'warning',
})
for (const { path, text } of outputFiles) write(path, minifyAgain(path, packTemplates(text)))
for (const [name, text] of packLanguages()) write(`${TARGET}/page/element/${name}`, text)
for (const [name, module] of packProblems()) {
  // npm packs files by their endings: here, after the files with the same texts. The tarball is 1.3 KiB smaller so.
  write(`${TARGET}/callers/browser/problems.${name}.mjs`, module)
}
write(`${TARGET}/callers/browser-language.d.ts`, LANGUAGE_TYPES)
// TypeScript writes no declarations of the frameworks' modules: these are written by hand.
write(`${TARGET}/page/element/tag.d.ts`, readFileSync('src/page/element/tag.d.ts', 'utf8'))
for (const [path, code] of packSources(SOURCES)) write(`${TARGET}/${path}`, code)
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'src/callers'], {
  stdio: 'inherit',
})
writePlainTypes(TARGET)
removeUnusedTypes(TARGET)

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
