/** Makes the package that callers install, in `build/`: JavaScript with its source maps and its types. */

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { build } from 'esbuild'
import { ELEMENT_OPTIONS, packLanguages } from '../lib/element.ts'
import { LANGUAGE_TYPES, packProblems } from '../lib/problem-languages.ts'
import { writePlainTypes } from '../lib/plain-types.ts'
import { removeUnusedTypes } from '../lib/unused-types.ts'

const TARGET = 'build'
/** The package's own files, and where they are in this checkout. */
const COPIES = [
  ['package.json', 'src/callers/package.json'],
  ['README.md', 'src/callers/README.md'],
  ['LICENSE', 'LICENSE'],
  // TypeScript writes no declarations of the frameworks' modules: these are written by hand.
  ['page/element/tag.d.ts', 'src/page/element/tag.d.ts'],
] as const

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
  external: ['react'],
  inject: ['scripts/lib/browser-globals.ts'],
  minify: true,
  sourcemap: true,
  // The element has most of the client in it.
  splitting: true,
  logLevel: 'warning',
})
for (const { path, text } of outputFiles) write(path, text)
for (const [name, text] of packLanguages()) write(`${TARGET}/page/element/${name}`, text)
for (const [name, module] of packProblems()) {
  // npm packs files by their endings: here, after the files with the same texts. The tarball is smaller so.
  write(`${TARGET}/callers/browser/problems.${name}.mjs`, module)
}
write(`${TARGET}/callers/browser-language.d.ts`, LANGUAGE_TYPES)
for (const [path, source] of COPIES) copyFileSync(source, `${TARGET}/${path}`)
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'src/callers'], {
  stdio: 'inherit',
})
writePlainTypes(TARGET)
removeUnusedTypes(TARGET)

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
