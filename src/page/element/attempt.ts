/** One request to the service as a person sees it: busy, slow, failed, and when to try again. */

import { html, nothing, type ReactiveController, type ReactiveControllerHost } from 'lit'
import type { ErrorDetail, ProblemCode } from './host.ts'
import { gapAfter, type Language } from './language.ts'
import { describeProblem, detailProblem, Problem } from './problem.ts'
import { nameProvider, type ShownSlot } from './slot.ts'
import type { TextName } from './texts.ts'
import type { Access } from './vault-client.ts'

const SLOW_MS = 10_000
const LIMIT_MS = 30_000
const TICK_MS = 1_000

/** What is being done, and to which slot. */
export interface Task {
  text: TextName
  slot?: ShownSlot
}

interface Host extends ReactiveControllerHost {
  language: Language
  access: Access | null
  focus: () => void
}

/** Codes after which the user has to sign in again. */
const SESSION_OVER = new Set<ProblemCode>(['token_missing', 'token_invalid', 'token_expired'])

/** State of its host, which it re-renders. */
export class Attempt implements ReactiveController {
  problem: Problem | null = null
  /** Whether it takes longer than one expects. */
  isSlow = false
  #isRunning = false
  #task: Task | null = null
  #ticking: ReturnType<typeof setInterval> | undefined
  readonly #host: Host
  readonly #tell: (detail: ErrorDetail) => void

  /** @param tell is called with each problem */
  constructor(host: Host, tell: (detail: ErrorDetail) => void) {
    this.#host = host
    this.#tell = tell
    host.addController(this)
  }

  /** What is being done, in words; null if nothing is. */
  get doing(): string | null {
    const { language } = this.#host
    if (!this.#isRunning || this.#task === null) return null
    const { text, slot } = this.#task
    return language.say(text, {
      provider: slot === undefined ? '' : nameProvider(slot, language.say),
    })
  }

  /** What is being done if it is this task, in words; otherwise null. */
  doingOf(text: TextName): string | null {
    return this.#task?.text === text ? this.doing : null
  }

  hostConnected(): void {
    this.#countDown()
  }

  hostDisconnected(): void {
    clearInterval(this.#ticking)
  }

  /** Runs `work`, unless another run has not ended. Its signal ends it after 30 s. */
  async run(task: Task, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#isRunning) return
    const limit = new AbortController()
    let limitTimer: ReturnType<typeof setTimeout> | undefined
    // The host application's getToken cannot be aborted.
    const ended = new Promise<never>((_resolve, reject) => {
      limitTimer = setTimeout(() => {
        limit.abort()
        reject(new Problem('no_answer'))
      }, LIMIT_MS)
    })
    const slowTimer = setTimeout(() => this.#show({ isSlow: true }), SLOW_MS)
    this.#task = task
    this.#isRunning = true
    this.#show({ problem: null })
    try {
      await Promise.race([work(limit.signal), ended])
    } catch (error) {
      this.#fail(Problem.from(error))
    } finally {
      clearTimeout(limitTimer)
      clearTimeout(slowTimer)
      this.#isRunning = false
      this.#show({ isSlow: false })
    }
  }

  /** Forgets the last problem. */
  clear(): void {
    this.#show({ problem: null })
    this.#countDown()
  }

  /** Seconds until another attempt may succeed; 0 if it may succeed now. */
  get wait(): number {
    return Math.max(0, Math.ceil(((this.problem?.retryAt ?? 0) - Date.now()) / 1_000))
  }

  /** As `wait`, for one task: a rate limit that refused another task may not apply to this one. */
  waitFor(text: TextName): number {
    return this.#task?.text === text ? this.wait : 0
  }

  /** Announces what is being done and that it takes long, politely, and a problem at once. */
  render() {
    const { doing, problem } = this
    const { say } = this.#host.language
    return html`
      <div role="status">
        <span class="unseen">${doing}</span>
        ${this.isSlow ? html`<p part="notice">${say('slow')}</p>` : nothing}
      </div>
      <div id="problem" role="alert">
        ${
          problem === null
            ? nothing
            : html`<p part="problem">
                ${this.#describe(problem)}${this.#renderWait(problem)}
                ${this.#renderSignIn(problem)}
                ${
                  problem.isFault
                    ? html`<small>${say('reference', { id: problem.requestId ?? '' })}</small>`
                    : nothing
                }
              </p>`
        }
      </div>
    `
  }

  #renderWait(problem: Problem) {
    const { wait } = this
    if (wait === 0) return nothing
    const { say, duration } = this.#host.language
    const text = say('retryIn', { time: duration(wait) })
    return [
      gapAfter(this.#describe(problem)),
      html`<span role="timer" aria-live="off">${text}</span>`,
    ]
  }

  #renderSignIn({ code }: Problem) {
    const { access, language } = this.#host
    if (!access?.canSignIn() || !SESSION_OVER.has(code)) return nothing
    return html`<button type="button" part="button" @click=${() => void this.#signIn(access)}>
      ${language.say('signIn')}
    </button>`
  }

  async #signIn({ signIn }: Access): Promise<void> {
    try {
      await signIn()
    } catch (error) {
      console.error(String(error))
      return
    }
    this.clear()
    // The button that had the focus disappears.
    this.#host.focus()
  }

  #describe(problem: Problem): string {
    return describeProblem(problem, this.#host.language, this.#task?.slot)
  }

  #fail(problem: Problem): void {
    this.#show({ problem })
    this.#countDown()
    const { code, detail } = problem
    if (detail) console.info(code, detail)
    this.#tell(detailProblem(problem, this.#host.language, this.#task?.slot))
  }

  #show(changes: Partial<Pick<Attempt, 'problem' | 'isSlow'>>): void {
    Object.assign(this, changes)
    this.#host.requestUpdate()
  }

  #countDown(): void {
    clearInterval(this.#ticking)
    if (this.problem?.retryAt) this.#ticking = setInterval(() => this.#tick(), TICK_MS)
  }

  #tick(): void {
    if (this.wait === 0) this.clear()
    else this.#host.requestUpdate()
  }
}
