import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Attempt, type Task } from '../../../src/page/element/attempt.ts'
import type { ErrorDetail } from '../../../src/page/element/host.ts'
import { Problem } from '../../../src/page/element/problem.ts'
import type { Access } from '../../../src/page/element/vault-client.ts'
import { listenersOf, markupOf, textOf, textsOf } from './markup.ts'
import { english, someKey, someSlot, translated } from './shown.ts'
import { someCall } from './vault.ts'

const SAVING: Task = { text: 'checking', slot: someSlot({ key: someKey() }) }

/** An attempt of a host that only counts its updates. */
function begin(language = english, access: Access | null = null) {
  const tell = vi.fn<(detail: ErrorDetail) => void>()
  const requestUpdate = vi.fn<() => void>()
  const focus = vi.fn<() => void>()
  const addController = vi.fn<(controller: object) => void>()
  const attempt = new Attempt(
    {
      language,
      access,
      focus,
      addController,
      requestUpdate,
      removeController: () => {},
      updateComplete: Promise.resolve(true),
    },
    tell,
  )
  const fail = async (problem: unknown, task = SAVING) =>
    attempt.run(task, async () => Promise.reject(problem))
  return { attempt, tell, requestUpdate, focus, addController, fail }
}

const busy = (seconds: number) =>
  new Problem('database_busy', { requestId: 'request-1', retryAt: Date.now() + seconds * 1_000 })

/** Presses the only button. */
function press(attempt: Attempt): void {
  for (const listener of listenersOf(attempt.render())) listener()
}

/** Work that never ends, with its signal. */
function hang() {
  let given: AbortSignal | undefined
  const work = async (signal: AbortSignal) => {
    given = signal
    return new Promise<void>(() => {})
  }
  return { work, isAborted: () => given?.aborted }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('adds itself to its host', () => {
  const { attempt, addController } = begin()
  expect(addController.mock.calls).toEqual([[attempt]])
})

describe('work under way', () => {
  it('says what is being done until it has ended', async () => {
    const { attempt, requestUpdate, tell } = begin()
    const held = Promise.withResolvers<void>()
    expect(attempt.doing).toBeNull()
    const run = attempt.run(SAVING, async () => held.promise)
    expect(attempt.doing).toBe('Checking the key with OpenAI …')
    expect(textsOf(attempt.render(), 'span')).toEqual(['Checking the key with OpenAI …'])
    const updates = requestUpdate.mock.calls.length
    held.resolve()
    await run
    expect(attempt.doing).toBeNull()
    expect(requestUpdate.mock.calls.length).toBeGreaterThan(updates)
    expect(tell).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('work may belong to no slot', () => {
    const { attempt } = begin()
    void attempt.run({ text: 'loading' }, hang().work)
    expect(attempt.doing).toBe('Loading your keys …')
  })

  it('does not begin other work before it has ended', async () => {
    const { attempt } = begin()
    const second = vi.fn<() => Promise<void>>()
    void attempt.run(SAVING, hang().work)
    await attempt.run({ text: 'deleting' }, second)
    expect(second).not.toHaveBeenCalled()
    expect(attempt.doing).toBe('Checking the key with OpenAI …')
  })

  it('calls work slow after 10 s', async () => {
    const { attempt, requestUpdate } = begin()
    const held = Promise.withResolvers<void>()
    const run = attempt.run(SAVING, async () => held.promise)
    vi.advanceTimersByTime(9_999)
    expect(attempt.isSlow).toBe(false)
    expect(textOf(attempt.render())).not.toContain('longer')
    const updates = requestUpdate.mock.calls.length
    vi.advanceTimersByTime(1)
    expect(requestUpdate.mock.calls.length).toBe(updates + 1)
    expect(textOf(attempt.render())).toContain('This takes longer than usual …')
    held.resolve()
    await run
    expect(attempt.isSlow).toBe(false)
  })

  it('gives work up after 30 s, even if that does not listen to its signal', async () => {
    const { attempt, tell } = begin()
    const { work, isAborted } = hang()
    const run = attempt.run(SAVING, work)
    await vi.advanceTimersByTimeAsync(29_999)
    expect([attempt.problem, isAborted()]).toEqual([null, false])
    await vi.advanceTimersByTimeAsync(1)
    await run
    expect([attempt.problem?.code, isAborted()]).toEqual(['no_answer', true])
    expect(attempt.doing).toBeNull()
    expect(tell.mock.lastCall?.[0].code).toBe('no_answer')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('work that fails', () => {
  it('tells the code, the text, the detail and the request id of a problem', async () => {
    const info = vi.spyOn(console, 'info').mockReturnValue()
    const { attempt, tell, fail } = begin()
    await fail(new Problem('api_key_rejected', { detail: 'A 401.', requestId: 'request-1' }))
    const message = 'OpenAI does not accept this key. Your previous key is still saved.'
    const detail = { code: 'api_key_rejected', message, detail: 'A 401.', requestId: 'request-1' }
    expect(tell.mock.calls).toEqual([[detail]])
    expect(info.mock.calls).toEqual([['api_key_rejected', 'A 401.']])
    expect(textsOf(attempt.render(), 'p')).toEqual([message])
  })

  it('an error that is not a Problem is a fault of the element', async () => {
    const { attempt, tell, fail } = begin()
    const write = vi.spyOn(console, 'error').mockReturnValue()
    await fail(new TypeError('x is not a function'))
    expect(attempt.problem?.code).toBe('internal')
    expect(tell.mock.lastCall?.[0]).toMatchObject({ code: 'internal', requestId: null })
    expect(write).toHaveBeenCalledOnce()
  })

  it('the next run forgets a problem, and clear does', async () => {
    const { attempt, fail } = begin()
    await fail(new Problem('offline'))
    void attempt.run(SAVING, hang().work)
    expect(attempt.problem).toBeNull()
    const other = begin()
    await other.fail(busy(42))
    other.attempt.clear()
    expect([other.attempt.problem, other.attempt.wait]).toEqual([null, 0])
  })

  it.for([
    ['internal', 'request-1', ['Reference: request-1']],
    ['internal', undefined, []],
    ['database_busy', 'request-1', []],
  ] as const)('shows the reference of a fault alone: %s, %s', async ([code, requestId, shown]) => {
    const { attempt, fail } = begin()
    await fail(new Problem(code, { requestId }))
    expect(textsOf(attempt.render(), 'small')).toEqual(shown)
  })

  it('announces progress politely, and a problem at once', async () => {
    const { attempt, fail } = begin()
    await fail(new Problem('offline'))
    const [status = '', alert = ''] = markupOf(attempt.render()).split('<div id="problem" ')
    expect(status).toContain('<div role="status">')
    expect(alert).toContain('role="alert"')
    expect([textOf(status), alert.includes('You are offline.')]).toEqual(['', true])
  })
})

describe('a session that has ended', () => {
  const SESSION_OVER = ['token_missing', 'token_invalid', 'token_expired'] as const
  const canSignIn = () => true

  it.for([
    ...SESSION_OVER.map((code) => [code, true, ['Sign in again']] as const),
    ...SESSION_OVER.map((code) => [code, false, []] as const),
    ['not_your_own', true, []],
    ['offline', true, []],
  ] as const)(
    'offers to sign in after %s, if the application can: %s',
    async ([code, isAble, shown]) => {
      const { access } = someCall([], { canSignIn: () => isAble })
      const { attempt, fail } = begin(english, access)
      await fail(new Problem(code))
      expect(textsOf(attempt.render(), 'button')).toEqual(shown)
    },
  )

  it('offers no sign-in before it is known whose keys are shown', async () => {
    const { attempt, fail } = begin()
    await fail(new Problem('token_expired'))
    expect(textsOf(attempt.render(), 'button')).toEqual([])
  })

  it('a sign-in ends the problem, and takes the focus from its button', async () => {
    const signedIn = Promise.withResolvers<void>()
    const { access } = someCall([], { canSignIn, signIn: async () => signedIn.promise })
    const { attempt, focus, fail } = begin(english, access)
    await fail(new Problem('token_expired'))
    press(attempt)
    expect(attempt.problem?.code).toBe('token_expired')
    expect(focus).not.toHaveBeenCalled()
    signedIn.resolve()
    await vi.waitFor(() => expect(attempt.problem).toBeNull())
    expect(focus).toHaveBeenCalledOnce()
  })

  it('a sign-in that fails leaves the problem, and tells whoever builds the application', async () => {
    const write = vi.spyOn(console, 'error').mockReturnValue()
    const { access } = someCall([], {
      canSignIn,
      signIn: async () => Promise.reject(new Error('closed')),
    })
    const { attempt, fail } = begin(english, access)
    await fail(new Problem('token_expired'))
    press(attempt)
    await vi.waitFor(() => expect(write.mock.calls).toEqual([['Error: closed']]))
    expect(attempt.problem?.code).toBe('token_expired')
  })
})

describe('a problem that will pass', () => {
  it('a problem that will pass is counted down, then over', async () => {
    const { attempt, requestUpdate, fail } = begin()
    await fail(busy(42))
    expect(attempt.wait).toBe(42)
    const updates = requestUpdate.mock.calls.length
    vi.advanceTimersByTime(1_500)
    expect(attempt.wait).toBe(41)
    expect(requestUpdate.mock.calls.length).toBe(updates + 1)
    expect(textsOf(attempt.render(), 'span').at(-1)).toBe('Try again in 41 seconds.')
    vi.advanceTimersByTime(40_500)
    expect([attempt.wait, attempt.problem]).toEqual([0, null])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('the task that failed waits alone', async () => {
    const { attempt, fail } = begin()
    const waits = () => (['checking', 'changing'] as const).map((text) => attempt.waitFor(text))
    expect(waits()).toEqual([0, 0])
    await fail(busy(42))
    expect(waits()).toEqual([42, 0])
    await fail(busy(7), { text: 'changing' })
    expect(waits()).toEqual([0, 7])
    vi.advanceTimersByTime(7_000)
    expect(waits()).toEqual([0, 0])
  })

  it.for([
    ['en', 'The key service is busy. Try again in 60 minutes.'],
    ['ja', 'キーサービスが混み合っています。60 分後に再試行してください。'],
  ] as const)(
    'a problem and its time are spaced as the language does it: %s',
    async ([name, text]) => {
      const language = name === 'en' ? english : translated(name)
      const { attempt, fail } = begin(language)
      await fail(busy(3_600))
      expect(textOf(attempt.render())).toBe(text)
    },
  )

  it('the countdown is not announced each second', async () => {
    const { attempt, fail } = begin()
    await fail(busy(42))
    expect(markupOf(attempt.render())).toContain('<span role="timer" aria-live="off">')
  })

  it('the countdown stops while the host is away, and goes on when it is back', async () => {
    const { attempt, fail } = begin()
    await fail(busy(42))
    attempt.hostDisconnected()
    expect(vi.getTimerCount()).toBe(0)
    attempt.hostConnected()
    vi.advanceTimersByTime(2_000)
    expect(attempt.wait).toBe(40)
    attempt.hostDisconnected()
    vi.advanceTimersByTime(60_000)
    attempt.hostConnected()
    vi.advanceTimersByTime(1_000)
    expect(attempt.problem).toBeNull()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('counts no time down if the service names none', async () => {
    const { attempt, fail } = begin()
    await fail(new Problem('database_busy'))
    expect([attempt.wait, vi.getTimerCount()]).toEqual([0, 0])
    expect(markupOf(attempt.render())).not.toContain('timer')
  })
})
