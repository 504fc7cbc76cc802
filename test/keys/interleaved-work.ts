/** What owners, callers, operators and the jobs do with the keys of a few users, each in an isolate of its own. */

import { useKey } from '../../src/binding/methods.ts'
import { VaultError } from '../../src/errors.ts'
import { assignKey } from '../../src/keys/assign.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { copyDeletions } from '../../src/keys/gone.ts'
import { rewrap } from '../../src/keys/rewrap.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { setLimits, deleteSlot, listSlots } from '../../src/keys/slots.ts'
import { revealKey } from '../../src/keys/use.ts'
import { addUser, removeUser } from '../../src/keys/users.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import { openService } from '../../src/service.ts'
import { run } from '../../src/store/d1.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import type { Period } from '../../src/store/api-keys.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { askForPass } from '../../src/store/rewrap.ts'
import { makeFernet } from '../import/make-fernet.ts'
import { PROVIDER, slotOf } from '../support.ts'
import type { Worker } from './interleaved-faults.ts'
import type { Choices } from './seeded.ts'

/** One piece of work. */
export interface Work extends Worker {
  /** For the list of a failure. */
  name: string
  vault: Env
  run: (vault: Env) => Promise<unknown>
}

/** How a piece of work ended. */
export type Outcome = { value: unknown } | { code: string; error: unknown }

/** What work is chosen from. */
export interface World {
  choices: Choices
  userIds: readonly [string, ...string[]]
  vaults: readonly [Env, ...Env[]]
  fernet: Uint8Array
}

const CALLERS = ['binding:chat', 'binding:mail'] as const

/** Each kind of work, as often as it is chosen. */
const KINDS = [
  ...(['save', 'save', 'save', 'save', 'save', 'save'] as const),
  ...(['limit', 'limit', 'limit', 'limit', 'limit', 'limit', 'limit', 'limit'] as const),
  ...(['delete', 'delete', 'delete', 'assign', 'assign', 'assign'] as const),
  ...(['reveal', 'reveal', 'reveal', 'use', 'use', 'check', 'check', 'list', 'list'] as const),
  ...(['reseal', 'reseal', 'reseal', 'reseal', 'import', 'import'] as const),
  ...(['copy', 'expire', 'remove', 'add'] as const),
] as const

type Kind = (typeof KINDS)[number]

/** A random piece of work. */
export function someWork(world: World): Work {
  const { pick } = world.choices
  return makeWork(world, pick<Kind>(KINDS), {
    vault: pick(world.vaults),
    userId: pick(world.userIds),
    given: pick(['default', 'default', 'openai', 'openai', 'acme']),
  })
}

/** Work of that kind on a slot. */
export function makeWork(
  world: World,
  kind: Kind,
  { vault, userId, given }: Target & { vault: Env },
): Work {
  const isMoving = vault.DEFAULT_PROVIDER === 'openai'
  const provider = isMoving && given === 'default' ? 'openai' : given
  const about = {
    kind,
    userId,
    provider,
    isMoving,
    createsUsers: vault.AUTO_CREATE_USERS === 'true',
    saw: {
      last: new Map(),
      rejected: new Set<string>(),
      usable: new Set<string>(),
      gone: new Set<string>(),
    },
    vault,
  }
  const slot = { userId, given }
  const more = MAKERS[kind](world, slot)
  const { text, limits, expiresAt } = more
  const details = [text, limits, expiresAt].flatMap((value) =>
    value === undefined ? [] : [JSON.stringify(value)],
  )
  const where = `${isMoving ? 'moving' : 'plain'} ${vault.API_KEY_ENCRYPTION_KEY.slice(0, 4)}`
  return { ...about, ...more, name: [kind, userId, given, where, ...details].join(' ') }
}

interface Target {
  userId: string
  given: string
}

type Made = Pick<Work, 'run'> & Partial<Work>

/** Makes the work of each kind. */
const MAKERS: Record<Kind, (world: World, target: Target) => Made> = {
  save: ({ choices }, { userId, given }) => {
    const text = someText(choices)
    const verify = choices.maybe(0.4)
    const expiresAt = choices.maybe(0.2) ? someTime(choices) : null
    return {
      text,
      expiresAt,
      run: async (vault) =>
        saveSlot(await ownerIn(vault, userId), given, { apiKey: text, verify, expiresAt }),
    }
  },
  limit: ({ choices }, { userId, given }) => {
    const limits = someLimits(choices)
    return {
      limits,
      run: async (vault) => {
        const key = await setLimits(await ownerIn(vault, userId), given, {
          ...limits,
          condition: null,
        })
        return key.state === 'open' && showsPause(key.limits.pausedAt, limits)
      },
    }
  },
  delete: (_, { userId, given }) => ({
    run: async (vault) => deleteSlot(await ownerIn(vault, userId), given),
  }),
  assign: ({ choices }, { userId }) => {
    const provider = choices.pick(['openai', 'openai', 'acme'])
    const verify = choices.maybe(0.4)
    return {
      provider,
      run: async (vault) => assignKey(await ownerIn(vault, userId), provider, verify),
    }
  },
  reveal: ({ choices }, { userId, given }) => {
    const caller = choices.pick(CALLERS)
    return {
      caller,
      run: async (vault) =>
        asCaller(vault, { userId, caller }, async (user) => revealKey(user, slotOf(user, given))),
    }
  },
  use: ({ choices }, { userId }) => {
    const caller = choices.pick(CALLERS)
    return {
      provider: 'openai',
      caller,
      run: async (vault) =>
        asCaller(vault, { userId, caller }, async (user) => {
          const request = new Request(`${PROVIDER}/v1/models`, { method: 'POST' })
          const { response } = await useKey(user, slotOf(user, 'openai'), request)
          await response.text()
        }),
    }
  },
  check: (_, { userId, given }) => ({
    run: async (vault) => (await verifySlot(await ownerIn(vault, userId), given)).verdict,
  }),
  list: (_, { userId }) => ({ run: async (vault) => listSlots(await ownerIn(vault, userId)) }),
  reseal: () => ({
    userId: null,
    run: async (vault) => {
      const service = await openService(vault)
      await run(service.db, askForPass(new Date().toISOString()))
      await rewrap(service)
      await rewrap(service)
    },
  }),
  import: ({ choices, fernet }, { userId, given }) => {
    const text = someText(choices)
    const at = Date.now() - choices.pick([0, 0, 1_000, 86_400_000])
    return {
      text,
      provider: given,
      isMoving: false,
      createsUsers: true,
      run: async ({ DB }) => {
        const encoded = new TextEncoder().encode(text)
        const iv = crypto.getRandomValues(new Uint8Array(16))
        const token = await makeFernet(fernet, iv, Math.floor(at / 1_000), encoded)
        const savedAt = new Date(at).toISOString()
        await importRows(DB, [{ userId, provider: given, token, savedAt }])
      },
    }
  },
  copy: () => ({
    userId: null,
    run: async (vault) => copyDeletions(await openService(vault)),
  }),
  expire: () => ({
    userId: null,
    run: async (vault) => deleteExpiredKeys(await openService(vault)),
  }),
  remove: (_, { userId }) => ({
    run: async (vault) => removeUser(await openService(vault), userId),
  }),
  add: (_, { userId }) => ({ run: async (vault) => addUser(await openService(vault), userId) }),
}

/** Whether the pause is as asked. */
function showsPause(pausedAt: string | null, { isPaused }: NewLimits): boolean {
  return isPaused === undefined || isPaused === (pausedAt !== null)
}

async function ownerIn(vault: Env, userId: string) {
  return { service: await openService(vault), userId }
}

/** Does the work for a caller, and what comes after the answer. */
async function asCaller<T>(
  vault: Env,
  { userId, caller }: { userId: string; caller: string },
  work: (user: Parameters<typeof revealKey>[0]) => Promise<T>,
): Promise<T> {
  const works: Promise<void>[] = []
  const by = { kind: 'caller', name: caller } as const
  const waitUntil = (left: Promise<void>) => void works.push(left)
  const service = await openService(vault)
  try {
    return await work({ service, userId, by, waitUntil })
  } finally {
    await Promise.all(works)
  }
}

function someText({ next }: Choices): string {
  return `sk-${Math.floor(next() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')}-of-a-random-key`
}

const DAY_MS = 86_400_000

/** A time in the past or the future. */
function someTime({ pick }: Choices): string {
  return new Date(Date.now() + pick([-400, -1, 1, 30]) * DAY_MS).toISOString()
}

function someLimits(choices: Choices): NewLimits {
  const { pick, maybe } = choices
  const kind = pick(['pause', 'pause', 'resume', 'callers', 'maximum', 'expiry', 'both'])
  if (kind === 'pause') return { isPaused: true }
  if (kind === 'resume') return { isPaused: false }
  const callers = maybe(0.3) ? null : [pick(CALLERS)]
  if (kind === 'callers') return { callers }
  if (kind === 'both') return { isPaused: maybe(0.5), callers }
  if (kind === 'expiry') return { expiresAt: maybe(0.3) ? null : someTime(choices) }
  const per = pick<Period>(['day', 'month'])
  return { maxUses: maybe(0.3) ? null : { count: pick([1, 5]), per } }
}

/** Waits for the work's end. */
export async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => ({ code: VaultError.from(error).code, error }),
  )
}
