import { expect, it } from 'vitest'
import { runWithWrangler } from './wrangler-runs.ts'

const APPLY = 'd1 migrations apply DB --remote'
const LIST = 'd1 migrations list DB --remote'

it('migrates the database, then deploys with the options, and ends like the deployment', async () => {
  const { code, asked } = await runWithWrangler(['deploy', '--keep-vars'], [0, 3])
  expect(asked).toEqual([APPLY, 'deploy --minify --keep-vars'])
  expect(code).toBe(3)
})

it('deploys nothing if the migrations are not applied', async () => {
  const { code, stderr, asked } = await runWithWrangler(['deploy'], [1])
  expect(asked).toEqual([APPLY])
  expect(stderr).toBe(
    'Applies the pending migrations to the deployed database of wrangler.toml, then deploys its Worker.\n' +
      'Nothing was deployed, because the migrations were not applied.\n',
  )
  expect(code).toBe(1)
})

it.for([['--env', 'staging'], ['-e', 'staging'], ['--env=staging']])(
  'migrates the database of the environment: %j',
  async (options) => {
    const { asked } = await runWithWrangler(['deploy', ...options], [0, 0])
    expect(asked).toEqual([`${APPLY} --env staging`, `deploy --minify ${options.join(' ')}`])
  },
)

it.for<[listed: number, built: number, code: number]>([
  [0, 0, 0],
  [0, 1, 1],
  [1, 0, 1],
])(
  'a dry run that lists with %i and builds with %i ends with %i, and applies nothing',
  async ([listed, built, code]) => {
    const run = await runWithWrangler(['deploy', '--dry-run'], [listed, built])
    expect(run.asked).toEqual([LIST, 'deploy --minify --dry-run'])
    expect(run.code).toBe(code)
    const told = run.stderr.includes('Could not list the pending migrations')
    expect(told).toBe(listed === 1)
  },
)

it.for([
  ['--config', 'other.toml'],
  ['-c', 'other.toml'],
  ['--config=other.toml', '--dry-run'],
])('refuses another configuration before it does anything: %j', async (options) => {
  const { code, stderr, asked } = await runWithWrangler(['deploy', ...options], [])
  expect([code, asked]).toEqual([2, []])
  expect(stderr).toContain('set VAULT_CONFIG instead of --config')
})

it.for<[codes: number[], code: number, plan: object]>([
  [[0, 0], 0, { pending_migrations: ['0001_tables.sql'], builds: true, faults: [] }],
  [[1, 0], 1, { pending_migrations: null, builds: true, faults: ['wrangler failed'] }],
])('a dry run whose Wrangler ends with %j prints JSON', async ([codes, code, plan]) => {
  const printed = '│ 0001_tables.sql │'
  const run = await runWithWrangler(['deploy', '--dry-run', '--json'], codes, printed)
  expect(run.asked).toEqual([LIST, 'deploy --minify --dry-run'])
  expect([run.code, JSON.parse(run.stdout)]).toEqual([
    code,
    { configuration: 'wrangler.toml', ...plan },
  ])
})
