/** What a host application gives the element, and what it hears from it. */

import type { GetToken } from '../../callers/browser/get-token.ts'
import type { ProblemCode } from '../../callers/browser/problem.ts'
import type { KeyStatus } from '../../shared/slot.ts'
import type { Texts } from './texts.ts'

export type { GetToken, ProblemCode, Texts }

/** `detail` of the event `loaded`: the keys were read from the vault. */
export interface LoadedDetail {
  /** How many keys there are. */
  keys: number
  /** How many of them need their user's attention: they cannot be used, or soon cannot. */
  attention: number
}

/** What has changed in a key. `elsewhere` says that something else has changed it. */
export type Change = 'tested' | 'paused' | 'resumed' | 'limits' | 'renamed' | 'moved' | 'elsewhere'

/** `detail` of the event `changed`. */
export interface ChangedDetail {
  provider: string
  change: Change
}

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
  /** What the service said in English, for whoever builds the application; empty if it said no more. */
  detail: string
  requestId: string | null
}

/** The details of the events. */
export interface Details {
  loaded: LoadedDetail
  changed: ChangedDetail
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
  /** Signs the user in again, without leaving the page. It is offered where a request failed because the session has ended. */
  signIn: (() => Promise<void>) | undefined
  /** By default, the page's `color-scheme`. `auto` follows the device. */
  theme: 'light' | 'dark' | 'auto' | null
  density: 'comfortable' | 'compact' | null
  /** The level of the headings, from 1 to 6, so that they fit the page's outline. It is 3 by default. */
  headingLevel: number

  /** Reads the keys again. What is being typed stays. */
  reload(): Promise<void>

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
