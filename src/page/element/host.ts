/** What a host application gives the element, and what it hears from it. */

import type { ErrorCode } from '../../shared/error-code.ts'
import type { KeyStatus } from '../../shared/slot.ts'
import type { Texts } from './texts.ts'

export type { Texts }

/**
 * Returns the signed-in user's access token. With `refresh`, it returns a new one: the service did not
 * accept the last one.
 */
export type GetToken = (options: { refresh: boolean }) => string | Promise<string>

/** Codes of failures without an answer of the service. */
type WayCode = 'offline' | 'unreachable' | 'no_answer' | 'not_an_answer'

export type ProblemCode = ErrorCode | WayCode

/** `detail` of the event `saved`. */
export interface SavedDetail {
  provider: string
  preview: string
  status: KeyStatus
}

/** `detail` of the event `deleted`. */
export interface DeletedDetail {
  provider: string
}

/** `detail` of the event `error`. */
export interface ErrorDetail {
  /** `not_loaded` is the React component's own: the element's script did not load, or cannot run on the page. */
  code: ProblemCode | 'not_loaded'
  /** As the user reads it. */
  message: string
  requestId: string | null
}

/** The details of the events. */
export interface Details {
  saved: SavedDetail
  deleted: DeletedDetail
  error: ErrorDetail
}

/** `<api-key-settings>` as its page sees it. It shows the keys of `userId`, or of `teamId`, in the vault at `baseUrl`. */
export interface ApiKeySettingsElement extends HTMLElement {
  /** Where the vault is; by default, where the element's script came from. */
  baseUrl: string
  /** The token's `sub`; null until somebody is signed in. */
  userId: string | null
  /** The team whose keys are shown instead of the user's, as the token names it. */
  teamId: string | null
  /** Names of the slots that are offered, in this order, separated by spaces; by default, every provider. */
  providers: string | null
  getToken: GetToken | undefined
  /** The application's own texts. The others stay as they are. */
  texts: Partial<Texts> | null

  addEventListener<Type extends keyof Details>(
    type: Type,
    listener: (this: ApiKeySettingsElement, event: CustomEvent<Details[Type]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void
  addEventListener<Type extends Exclude<keyof HTMLElementEventMap, keyof Details>>(
    type: Type,
    listener: (this: ApiKeySettingsElement, event: HTMLElementEventMap[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void
}

declare global {
  interface HTMLElementTagNameMap {
    'api-key-settings': ApiKeySettingsElement
  }
}
