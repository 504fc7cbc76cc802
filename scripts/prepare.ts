/** `npm run prepare`: what callers import from the package, as JavaScript with its types, in `build/`. */

import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import { ELEMENT_OPTIONS, packLanguages } from './lib/element.ts'
import { writePlainTypes } from './lib/plain-types.ts'

const TARGET = 'build'

rmSync(TARGET, { recursive: true, force: true })
await build({
  ...ELEMENT_OPTIONS,
  entryPoints: [
    ...['binding', 'client', 'fetch'].map((name) => `src/callers/${name}.ts`),
    'src/page/element/api-key-settings.ts',
    'src/page/react/api-key-settings.ts',
  ],
  outbase: 'src',
  outdir: TARGET,
  // The application bundles its own copies, such as one Lit for all its elements.
  packages: 'external',
  logLevel: 'warning',
})
for (const [name, text] of packLanguages()) writeFileSync(`${TARGET}/page/element/${name}`, text)
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'src/callers'], {
  stdio: 'inherit',
})
writePlainTypes(TARGET)
