/** `npm run release`, in a checkout with a history of its own: it builds and packs for real. */

import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeCheckout } from './checkout.ts'

/** A checkout whose files are all committed. */
async function makeRepository() {
  const checkout = makeCheckout()
  for (const file of ['CHANGELOG.md', 'LICENSE', 'package-lock.json']) {
    copyFileSync(file, checkout.path(file))
  }
  writeFileSync(
    checkout.path('.gitignore'),
    'node_modules\n/build/\n/dist/\n/release/\n/tmp/\n.wrangler/\n',
  )
  const git = async (...args: string[]) =>
    checkout.run('git', '-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...args)
  await git('init', '--quiet')
  await git('add', '--all')
  await git('commit', '--quiet', '--message', 'A version')
  return checkout
}

it('a release has the package, two lists of what it is made of, and their checksums', async () => {
  const checkout = await makeRepository()
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const env = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'acme/vault' }
  await checkout.runWith(env, process.execPath, 'scripts/release.ts', `v${version}`)
  const folder = checkout.path('release')
  expect(readdirSync(folder).toSorted()).toEqual([
    'SHA256SUMS',
    'dist-tag',
    'notes.md',
    `user-key-vault-${version}.cdx.json`,
    `user-key-vault-${version}.tgz`,
    `user-key-vault-worker-${version}.cdx.json`,
  ])
  const sums = await checkout.run('sh', '-c', 'cd release && sha256sum --check SHA256SUMS')
  expect(sums.match(/: OK$/gm)).toHaveLength(3)
  const list = JSON.parse(readFileSync(join(folder, `user-key-vault-${version}.cdx.json`), 'utf8'))
  expect(list.components.map(({ name }: { name: string }) => name)).toContain('lit-html')
  const packed = `tar -xzOf release/user-key-vault-${version}.tgz package/package.json`
  expect(JSON.parse(await checkout.run('sh', '-c', packed))).toMatchObject({
    name: 'user-key-vault',
    version,
    repository: { url: 'git+https://github.com/acme/vault.git' },
  })
})

it('a changed file, or a tag of another version, makes no release', async () => {
  const checkout = await makeRepository()
  writeFileSync(checkout.path('src/log.ts'), '')
  const run = checkout.script('release', 'v0.0.1')
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/has the version .*, not 0\.0\.1[\s\S]*src\/log\.ts/),
  })
  expect(readdirSync(checkout.path('.'))).not.toContain('release')
})
