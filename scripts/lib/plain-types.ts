/** Writes the types of packed modules out: callers need neither zod nor the tables that the types are inferred from. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

/** The modules of `src/shared/` from which callers take types alone. */
const MODULES = ['answers', 'caller', 'error-code', 'slot']
/** The modules that these take types from. After that, nobody does. */
const UNUSED = ['event-kind']

/** TypeScript writes out the type of a constant, but not an alias. */
const PLAIN = `
type Plain<T> = T extends object ? { [Key in keyof T]: Plain<T[Key]> } : T
declare const plain: <T>() => Plain<T>
`

/** Replaces the declarations of these modules in `<target>/shared/`. Generic types are left out. */
export function writePlainTypes(target: string): void {
  const directory = `${target}/plain`
  mkdirSync(directory)
  for (const name of MODULES) writeFileSync(`${directory}/${name}.ts`, constantsOf(name))
  const options = { noErrorTruncation: true, rootDir: '../..', outDir: '.' }
  const config = {
    extends: '../../src/callers/tsconfig.json',
    compilerOptions: options,
    include: ['.'],
  }
  writeFileSync(`${directory}/tsconfig.json`, JSON.stringify(config))
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', directory], {
    stdio: 'inherit',
  })
  for (const name of MODULES) {
    const declared = readFileSync(`${directory}/${directory}/${name}.d.ts`, 'utf8')
    writeFileSync(`${target}/shared/${name}.d.ts`, aliasesOf(declared))
  }
  for (const name of UNUSED) rmSync(`${target}/shared/${name}.d.ts`)
  rmSync(directory, { recursive: true })
}

/** A module with a constant of each type that the module `name` exports. */
function constantsOf(name: string): string {
  const source = readFileSync(`src/shared/${name}.ts`, 'utf8')
  const types = Array.from(
    source.matchAll(/^export (?:type|interface) (\w+) /gm),
    ([, type]) => type,
  )
  const constants = types.map((type) => `export const ${type} = plain<Types.${type}>()\n`)
  return `import type * as Types from '../../src/shared/${name}.ts'\n${PLAIN}${constants.join('')}`
}

/** The constants as types. Where one names another, that is in the same module. An alias that stays one is left out. */
function aliasesOf(declared: string): string {
  return declared
    .replaceAll(/^import .*\n/gm, '')
    .replaceAll(/import\("[^"]*"\)\.|Types\./g, '')
    .replaceAll(/^export declare const (\w+):/gm, 'export type $1 =')
    .replaceAll(/^export type (\w+) = \1;\n/gm, '')
}
