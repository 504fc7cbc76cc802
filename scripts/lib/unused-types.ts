/** Leaves out of the package the declarations that no caller can reach. */

import { globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

interface Manifest {
  exports: Record<string, string | { types: string }>
}

/** Removes each declaration in `target` that neither the manifest names nor one of those imports. */
export function removeUnusedTypes(target: string): void {
  const { exports }: Manifest = JSON.parse(readFileSync(`${target}/package.json`, 'utf8'))
  const entries = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [] : globSync(join(target, entry.types)),
  )
  const used = new Set<string>()
  const visit = (path: string): void => {
    if (used.has(path)) return
    used.add(path)
    const code = readFileSync(path, 'utf8')
    for (const [, name = ''] of code.matchAll(/["'](\.[^"']*)\.ts["']/g)) {
      visit(join(path, '..', `${name}.d.ts`))
    }
  }
  for (const entry of entries) visit(join(entry))
  for (const path of globSync(`${target}/**/*.d.ts`)) if (!used.has(path)) rmSync(path)
}
