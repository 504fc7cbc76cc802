/** The lists of what a release is made of, in CycloneDX. npm writes the form, from the lock file. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Component {
  'bom-ref': string
  name: string
  version: string
  [key: string]: unknown
}

/** The part of CycloneDX's form that is read here. */
export interface Sbom {
  metadata: { component: Component; [key: string]: unknown }
  components: Component[]
  dependencies: { ref: string; dependsOn: string[] }[]
  [key: string]: unknown
}

/** The part of `package.json` that is read here. */
export interface Manifest {
  name: string
  version: string
  [key: string]: unknown
}

interface LockedPackage {
  dev?: boolean
  devOptional?: boolean
  link?: boolean
  [key: string]: unknown
}

export interface Lock {
  version: string
  packages: Record<string, LockedPackage>
  [key: string]: unknown
}

/** Lists what the Worker is made of: `npm sbom --omit dev` leaves out a dependency that a development dependency has too. */
export function listWorker(manifest: Manifest, lock: Lock): Sbom {
  const folder = mkdtempSync(join(tmpdir(), 'user-key-vault-'))
  try {
    const { devDependencies: _, scripts: __, ...shipped } = manifest
    writeFileSync(join(folder, 'package.json'), JSON.stringify(shipped))
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(omitDev(lock)))
    const command = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application']
    const printed = execFileSync('npm', [...command, '--package-lock-only'], { cwd: folder })
    const sbom: Sbom = JSON.parse(printed.toString())
    // npm names it after the folder.
    const component = { ...sbom.metadata.component, name: manifest.name }
    return { ...sbom, metadata: { ...sbom.metadata, component } }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The lock file without what only development needs. */
function omitDev(lock: Lock): Lock {
  const { devDependencies: _, ...root } = lock.packages[''] ?? {}
  const shipped = Object.entries(lock.packages).filter(
    ([, { dev, devOptional, link }]) => !dev && !devOptional && !link,
  )
  return { ...lock, packages: { ...Object.fromEntries(shipped), '': root } }
}

/** The packages whose code is in the bundles that these source maps describe. */
export function findBundled(maps: readonly string[]): Set<string> {
  const sources = maps.flatMap((map): string[] => JSON.parse(map).sources)
  const names = sources.map((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1])
  return new Set(names.filter((name) => name !== undefined))
}

/**
 * Lists what the package for callers is made of: those components of `sbom` that are bundled in it, and what they
 * depend on. A source map lacks a bundled module that was changed before.
 */
export function listPackage(sbom: Sbom, manifest: Manifest, bundled: ReadonlySet<string>): Sbom {
  const { name, version } = manifest
  const ref = `${name}@${version}`
  const found = sbom.components.filter((component) => bundled.has(component.name))
  const refs = withDependencies(
    found.map((component) => component['bom-ref']),
    sbom,
  )
  const components = sbom.components.filter((component) => refs.has(component['bom-ref']))
  const dependencies = sbom.dependencies.filter((dependency) => refs.has(dependency.ref))
  const component = { 'bom-ref': ref, type: 'library', name, version, purl: `pkg:npm/${ref}` }
  return {
    ...sbom,
    serialNumber: `urn:uuid:${crypto.randomUUID()}`,
    metadata: { ...sbom.metadata, component },
    components,
    dependencies: [{ ref, dependsOn: [...refs] }, ...dependencies],
  }
}

/** The components, and all that they depend on. */
function withDependencies(refs: readonly string[], { dependencies }: Sbom): Set<string> {
  const all = new Set(refs)
  // A set has what is added to it during the loop, too.
  for (const ref of all) {
    const needed = dependencies.find((dependency) => dependency.ref === ref)?.dependsOn ?? []
    for (const other of needed) all.add(other)
  }
  return all
}
