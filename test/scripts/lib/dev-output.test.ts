import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { filterWarnings, isReload, isShown } from '../../../scripts/lib/dev-output.ts'
import { enterFolder } from '../run-script.ts'

let folder: ReturnType<typeof enterFolder>
beforeAll(() => {
  folder = enterFolder()
  mkdirSync('dist')
  writeFileSync('dist/page.js', '')
})
afterAll(() => folder.leave())

it.for<[line: string, shown: boolean]>([
  ['[wrangler:info] GET /page.js 200 OK (3ms)', true],
  ['\u001B[2m[wrangler:info]\u001B[22m GET /page.js?v=1 200 OK (3ms)', true],
  ['[wrangler:info] GET / 200 OK (3ms)', false],
  ['[wrangler:info] PUT /api/users/demo/api-key 200 OK (3ms)', false],
  ['[wrangler:info] Ready on http://localhost:8787', true],
  ['{"level":"info","event":"request"}', true],
])('shows requests of static files, and leaves the others to the Worker: %j', ([line, shown]) => {
  expect(isShown(line)).toBe(shown)
})

it('recognizes that the Worker was reloaded', () => {
  expect(isReload('⎔ Local server updated and ready')).toBe(true)
  expect(isReload('⎔ Reloading local server...')).toBe(false)
})

it('hides the whole warning that nobody runs the scheduled job, and no other one', () => {
  const lines = [
    '▲ [WARNING] Scheduled Workers are not automatically triggered during local development.',
    '',
    '  To trigger a scheduled event, run: curl http://localhost:8787/cdn-cgi/handler/scheduled',
    '▲ [WARNING] Another one',
    '  with its rest',
  ]
  expect(lines.filter(filterWarnings())).toEqual(lines.slice(3))
})
