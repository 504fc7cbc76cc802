/** A panel that says more than the script has texts for: it loads these texts when it is opened. */

import { html, nothing, type PropertyDeclarations, type PropertyValues } from 'lit'
import { nameSilence } from '../../callers/browser/exchange.ts'
import { keepFocus, moveFocus } from './focus.ts'
import { OWN, PanelElement } from './inner-element.ts'
import type { Language } from './language.ts'
import { Problem } from './problem.ts'
import { learnPanelTexts } from './spoken-language.ts'

/** It speaks another language when the page does. */
export abstract class LearningPanel extends PanelElement {
  static override properties: PropertyDeclarations = { spoken: OWN }

  /** The language with the texts of panels; null until they are loaded. */
  declare protected spoken: Language | null
  /** The language that these texts are for. */
  #learned: Language | null = null

  constructor() {
    super()
    this.spoken = null
  }

  protected override willUpdate(): void {
    const { doing, problem } = this.attempt
    if (this.spoken && this.isForeign && doing === null && problem === null) void this.load()
  }

  /** If the button with the focus disappears, the focus stays in the panel. */
  protected override update(changed: PropertyValues): void {
    keepFocus(this, () => super.update(changed), this)
  }

  protected override firstUpdated(): void {
    void this.again()
  }

  /** Loads all that is missing. */
  protected abstract again(): Promise<void>

  /** Whether the texts of panels are not those of the language. */
  protected get isForeign(): boolean {
    return this.#learned !== this.language
  }

  /** Loads the texts in the language, and what `fetch` fetches. */
  protected async load(fetch?: (signal: AbortSignal) => Promise<void>): Promise<void> {
    await this.attempt.run({ text: 'loadingEvents' }, async (signal) => {
      await Promise.all([this.#learn(signal), fetch?.(signal)])
    })
  }

  async #learn(signal: AbortSignal): Promise<void> {
    const { language, spoken } = this
    this.spoken = await learnPanelTexts(language).catch((error: unknown) => {
      console.warn('The texts of the panel did not load.', error)
      throw new Problem(nameSilence(signal))
    })
    this.#learned = language
    if (spoken === null) void moveFocus(this, 'input')
  }

  protected renderButton(text: string | undefined, act: () => Promise<void>) {
    const { doing, wait } = this.attempt
    const isIdle = doing === null && wait === 0
    return html`<button
      type="button"
      part="button"
      aria-disabled=${!isIdle}
      @click=${isIdle ? act : nothing}
    >
      ${text}
    </button>`
  }
}
