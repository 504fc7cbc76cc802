/** `npm run import -- --plain`, in this process. `test/node/import-plain.slow.test.ts` sends keys to the Worker. */

import { chmodSync, writeFileSync } from 'node:fs'
import { PassThrough, Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { importPlain } from '../../../scripts/import/plain.ts'
import { enterFolder, runScript } from '../run-script.ts'
import { done, refusal, startStubVault, type Received, type Reply } from './stub-vault.ts'

const KEY = 'sk-0123456789-abcdefghijklmnopqrstuvw'

let folder: ReturnType<typeof enterFolder>
beforeAll(() => {
  folder = enterFolder()
})
afterAll(() => folder.leave())
beforeEach(() => {
  writeFileSync('token', 'abc.def.ghi')
  chmodSync('token', 0o600)
})

/** Runs the command with `content` in its pipe, against a vault that answers with `reply`. It prints no key and no token. */
async function run(content: string, reply: (received: Received) => Reply, ...options: string[]) {
  return runWith(Readable.from([Buffer.from(content)]), reply, ...options)
}

async function runWith(
  input: Readable,
  reply: (received: Received) => Reply,
  ...options: string[]
) {
  await using vault = await startStubVault(reply)
  const printed: unknown[] = []
  const print = vi.spyOn(console, 'log').mockImplementation((text) => void printed.push(text))
  const args = ['--plain', '--url', `${vault.url}/`, '--token-file', 'token', ...options]
  const ended = await importPlain(input, args)
    .then((code) => ({ code, error: '' }))
    .catch(({ message }: Error) => ({ code: null, error: message }))
    .finally(() => print.mockRestore())
  const result = { ...ended, stdout: printed.join('\n') }
  expect(JSON.stringify(result)).not.toMatch(/sk-0|abc\.def/)
  const calls = vault.received.map(({ call }) => call)
  return { ...result, calls, received: vault.received }
}

const isCheck = ({ call, body }: Received) => call.includes('/users/-') || body === '{}'

/** A vault that takes the token, and answers to lines with `reply`. */
function accepting(reply: (received: Received) => Reply) {
  return (received: Received) => {
    if (!isCheck(received)) return reply(received)
    return refusal(received.call.startsWith('GET') ? 'user_not_found' : 'api_key_missing')
  }
}

it('each key is sent to the slot of the plain route, after a check without a key', async () => {
  const content = `id,key\nuser/7 é,${KEY}\n$&,${KEY}\nnobody,\n`
  const { code, stdout, calls, received } = await run(
    content,
    accepting(() => done),
  )
  expect(code).toBe(0)
  expect(calls).toEqual([
    'PUT /api/users/-/api-key',
    'PUT /api/users/user%2F7%20%C3%A9/api-key',
    'PUT /api/users/%24%26/api-key',
  ])
  expect(received[1]).toMatchObject({
    body: JSON.stringify({ api_key: KEY }),
    headers: {
      authorization: 'Bearer abc.def.ghi',
      'content-type': 'application/json',
      'if-none-match': '*',
    },
  })
  expect(stdout).toMatch(/^Read +3\nUsers added +0\nKeys saved +2\n/)
})

it.for([
  [[], '/api-keys/openai'],
  [['--verify'], '/api-keys/openai?verify=true'],
  [['--no-verify'], '/api-keys/openai?verify=false'],
] as const)('--provider with %j sends keys to its slot', async ([options, path]) => {
  const { calls } = await run(
    `7,${KEY}`,
    accepting(() => done),
    '--provider',
    'openai',
    ...options,
  )
  expect(calls).toEqual(['PUT /api/users/-/api-key', `PUT /api/users/7${path}`])
})

it('--add-users adds each user before the key, and users without a key', async () => {
  const { code, calls, stdout } = await run(
    `id,key\n7,${KEY}\n8,`,
    accepting(() => done),
    '--add-users',
  )
  expect(code).toBe(0)
  expect(calls.slice(0, 2)).toEqual(['PUT /api/users/-/api-key', 'GET /api/users/-'])
  expect(calls.slice(2).toSorted()).toEqual([
    'PUT /api/users/7',
    'PUT /api/users/7/api-key',
    'PUT /api/users/8',
  ])
  expect(stdout).toMatch(/^Read +2\nUsers added +2\nKeys saved +1\n/)
})

it('each refusal of the vault is reported by its line', async () => {
  const codes = [
    'user_not_found',
    'unknown_provider',
    'base_url_invalid',
    'api_key_rejected',
    'invalid_argument',
    'api_key_exists',
    'changed_meanwhile',
  ] as const
  const content = codes.map((code) => `${code},${KEY}\n`).join('')
  const reply = ({ call }: Received) =>
    refusal(codes.find((one) => call.includes(one)) ?? 'internal')
  const { code, stdout } = await run(content, accepting(reply))
  expect(code).toBe(1)
  expect(stdout.split('\n').filter((line) => line.startsWith('  '))).toEqual([
    '  line 1 has a user that the vault does not know: add it, or use --add-users',
    '  line 2 has a provider that the vault does not know',
    '  line 3 has a provider that needs a base URL: only its user can save this key',
    '  line 4 has a key that its provider does not accept',
    '  line 5 was refused by the vault (invalid_argument)',
    '  lines 6–7 had a key already',
  ])
})

it('--json is the report as a program reads it', async () => {
  const { stdout } = await run(
    `7,${KEY}`,
    accepting(() => refusal('user_not_found')),
    '--json',
  )
  expect(JSON.parse(stdout)).toMatchObject({
    read: 1,
    refused: [{ line: 1, user_id: '7', provider: 'default' }],
  })
})

it('a token that expires ends it, says which lines are done, and how to go on', async () => {
  const content = Array.from({ length: 100 }, (_, index) => `u${index + 1},${KEY}\n`).join('')
  const reply = ({ call }: Received) => (call.includes('/u30/') ? refusal('token_expired') : done)
  const { error, stdout, calls } = await run(content, accepting(reply))
  expect(error.split('\n')).toEqual([
    'The token has expired. Put a fresh one into the token file, and run the import again.',
    'Every line before line 30 is done. You can run the import again: it leaves the keys alone that are there.',
  ])
  expect(calls.length).toBeLessThan(100)
  expect(stdout).toMatch(new RegExp(`^Keys saved +${calls.length - 2}$`, 'm'))
})

it('a pipe that stays open does not keep it from ending', async () => {
  const open = new PassThrough()
  open.write(`7,${KEY}\n8,${KEY}\n`)
  const { error } = await runWith(
    open,
    accepting(() => refusal('token_expired')),
  )
  expect(error).toContain('The token has expired.')
  expect(open.destroyed).toBe(true)
})

it.for([
  ['a server that is not a vault', () => done, 'did not refuse a request without a key'],
  [
    'a token without the scope',
    () => refusal('scope_missing'),
    'refused the token (scope_missing)',
  ],
] as const)('no key is sent to %s', async ([, reply, message]) => {
  const { error, stdout, received } = await run(`7,${KEY}`, reply)
  expect(error).toContain(message)
  expect(stdout).toBe('')
  expect(received.map(({ body }) => body)).toEqual(['{}'])
})

it('an empty pipe is an error', async () => {
  const { error } = await run(
    'id,key\n',
    accepting(() => done),
  )
  expect(error).toBe('The standard input has no users')
})

it('a fault of the input ends it, and names its line', async () => {
  const { error } = await run(
    `7,${KEY}\n"8"x,${KEY}\n9,${KEY}`,
    accepting(() => done),
  )
  expect(error).toMatch(/^The standard input is not CSV at line 2: CSV_INVALID_CLOSING_QUOTE\n/)
})

const WHERE = ['--url', 'https://vault.example.com', '--token-file', 'token']

it('a terminal as standard input is refused', async () => {
  const terminal = Object.assign(Readable.from([]), { isTTY: true })
  await expect(importPlain(terminal, ['--plain', ...WHERE])).rejects.toThrow('from a pipe')
})

it.for([
  'http://vault.example.com',
  'https://user:secret@vault.example.com',
  'https://vault.example.com?a=secret',
  'vault.example.com',
])('the URL %s is refused, and not shown', async (url) => {
  const args = ['--plain', '--token-file', 'token', '--url', url]
  const error = await importPlain(Readable.from([]), args).catch((fault: Error) => fault)
  expect(String(error)).toContain('--url must be the https: URL of the vault')
  expect(String(error)).not.toMatch(/secret|example/)
})

it('a token file that others can read is refused', async () => {
  chmodSync('token', 0o644)
  const { error, received } = await run(`7,${KEY}`, () => done)
  expect(error).toContain('Run: chmod 600 token')
  expect(received).toEqual([])
})

it.for([
  ['no URL', ['--token-file', 'token']],
  ['no token file', ['--url', 'https://vault.example.com']],
  ['a file', [...WHERE, 'keys.csv']],
  ['an option of the other import', [...WHERE, '--remote']],
  ['a provider of another form', [...WHERE, '--provider', 'Open AI']],
  ['a check of a slot without a provider', [...WHERE, '--verify']],
] as const)('--plain with %s prints the usage', async ([, args]) => {
  const { code, stdout, stderr } = await runScript(['import/command', '--plain', ...args])
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain('npm run import -- --plain --url <url> --token-file <file>')
})
