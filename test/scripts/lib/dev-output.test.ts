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

it.for<[does: 'shows' | 'hides', what: string, line: string]>([
  ['shows', 'a request of a static file', '[wrangler:info] GET /page.js 200 OK (3ms)'],
  [
    'shows',
    'a request of a static file in color',
    '\u001B[2m[wrangler:info]\u001B[22m GET /page.js?v=1 200 OK (3ms)',
  ],
  ['hides', 'a request of the page', '[wrangler:info] GET / 200 OK (3ms)'],
  ['hides', 'a request of a route', '[wrangler:info] PUT /api/users/demo/api-key 200 OK (3ms)'],
  ['shows', 'the address', '[wrangler:info] Ready on http://localhost:8787'],
  [
    'shows',
    'a variable',
    'env.JWT_ISSUER ("https://id.example.com")      Environment Variable      local',
  ],
  ['shows', 'a secret', 'env.JWT_SECRET_KEY ("(hidden)")      Environment Variable      local'],
  ['hides', 'an empty variable', 'env.JWT_ISSUER ("")      Environment Variable      local'],
  [
    'hides',
    'an empty variable in color',
    'env.JWT_ISSUER (\u001B[34m""\u001B[39m)      Environment Variable      \u001B[2mlocal\u001B[22m',
  ],
  ['shows', 'a line of the Worker', '{"level":"info","event":"request"}'],
])('%s %s', ([does, , line]) => {
  expect(isShown(line)).toBe(does === 'shows')
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
