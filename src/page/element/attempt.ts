/** One thing that is being done with the service: busy, slow, failed, and when to try again. */

import { html, nothing, type ReactiveController, type ReactiveControllerHost } from 'lit'
import { Problem } from './problem.ts'

const SLOW_MS = 10_000
const LIMIT_MS = 30_000
const TICK_MS = 1_000

/** State of its host, which it re-renders. */
export class Attempt implements ReactiveController {
  /** What is being done, for the person who waits; null at rest. */
  doing: string | null = null
  problem: Problem | null = null
  /** Whether it takes longer than one expects. */
  isSlow = false
  #ticking: ReturnType<typeof setInterval> | undefined
  readonly #host: ReactiveControllerHost
  readonly #tell: (problem: Problem) => void

  /** @param tell is told of each problem */
  constructor(host: ReactiveControllerHost, tell: (problem: Problem) => void) {
    this.#host = host
    this.#tell = tell
    host.addController(this)
  }

  hostConnected(): void {
    this.#countDown()
  }

  hostDisconnected(): void {
    clearInterval(this.#ticking)
  }

  /** Runs `work`; a second one while it runs is left out. Its signal ends it after 30 s. */
  async run(doing: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.doing !== null) return
    const limit = new AbortController()
    let limitTimer: ReturnType<typeof setTimeout> | undefined
    // Not all that is waited for can be aborted: the host application's getToken cannot.
    const ended = new Promise<never>((_resolve, reject) => {
      limitTimer = setTimeout(() => {
        limit.abort()
        reject(new Problem('no_answer'))
      }, LIMIT_MS)
    })
    const slowTimer = setTimeout(() => this.#show({ isSlow: true }), SLOW_MS)
    this.#show({ doing, problem: null })
    try {
      await Promise.race([work(limit.signal), ended])
    } catch (error) {
      this.fail(Problem.from(error))
    } finally {
      clearTimeout(limitTimer)
      clearTimeout(slowTimer)
      this.#show({ doing: null, isSlow: false })
    }
  }

  /** Shows `problem`, and counts down to when it is over. */
  fail(problem: Problem): void {
    this.#show({ problem })
    this.#countDown()
    this.#tell(problem)
  }

  /** Forgets the last problem. */
  clear(): void {
    this.#show({ problem: null })
    this.#countDown()
  }

  /** Seconds until another attempt may succeed; 0 where nothing speaks against it. */
  get wait(): number {
    return Math.max(0, Math.ceil(((this.problem?.retryAt ?? 0) - Date.now()) / 1_000))
  }

  /** What is announced: what is done and that it takes long, politely, and what failed, at once. */
  render() {
    const { doing, problem, wait } = this
    const slow = html`<p part="notice">This takes longer than usual. Still waiting …</p>`
    const countdown = html`<span role="timer" aria-live="off"> Try again in ${wait} s.</span>`
    const reference = html` <small>Reference: ${problem?.requestId}</small>`
    return html`
      <div role="status">
        <span class="unseen">${doing}</span>
        ${this.isSlow ? slow : nothing}
      </div>
      <div id="problem" role="alert">
        ${
          problem === null
            ? nothing
            : html`<p part="problem">
                ${problem.message}${wait > 0 ? countdown : nothing}${problem.isFault ? reference : nothing}
              </p>`
        }
      </div>
    `
  }

  #show(changes: Partial<Pick<Attempt, 'doing' | 'problem' | 'isSlow'>>): void {
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
