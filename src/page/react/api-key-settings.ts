'use client'

/** `<ApiKeySettings>`: the settings element as a React component. It loads the element from the vault. */

import {
  createElement,
  forwardRef,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  type CSSProperties,
  type ReactNode,
} from 'react'
import type {
  ApiKeySettingsElement,
  ChangedDetail,
  DeletedDetail,
  Details,
  ErrorDetail,
  GetToken,
  LoadedDetail,
  SavedDetail,
  Texts,
} from '../element/host.ts'
import { loadElement, type ElementScript } from './element-script.ts'

export type { ApiKeySettingsElement, GetToken, Texts }
export type { ChangedDetail, DeletedDetail, ErrorDetail, LoadedDetail, SavedDetail }

export interface ApiKeySettingsProps {
  /** Where the vault is, such as `https://vault.example.com`. */
  baseUrl: string
  /** The token's `sub`; null until somebody is signed in. */
  userId: string | null
  /** The team whose keys are shown instead of the user's, as the token names it. */
  teamId?: string | null | undefined
  /** It may be a new function at every render. */
  getToken: GetToken
  /** Names of the slots that are offered, in this order; by default, every provider. */
  providers?: readonly string[]
  /** By default, the language of the page. */
  lang?: string
  /** The application's own texts. */
  texts?: Partial<Texts>
  /** By default, the `color-scheme` of the page. `auto` follows the device. */
  theme?: 'light' | 'dark' | 'auto' | undefined
  density?: 'comfortable' | 'compact' | undefined
  /** The level of the headings, from 1 to 6; by default, 3. */
  headingLevel?: number | undefined
  /** Signs the user in again, without leaving the page. It may be a new function at every render. */
  signIn?: (() => Promise<void>) | undefined
  /** The keys of the user or the team have come. */
  onLoaded?: (detail: LoadedDetail) => void
  onSaved?: (detail: SavedDetail) => void
  onDeleted?: (detail: DeletedDetail) => void
  /** A key was changed in another way, here or elsewhere. */
  onChanged?: (detail: ChangedDetail) => void
  /** It is also called if the element's script did not load: `not_loaded`. */
  onError?: (detail: ErrorDetail) => void
  /** Shown until the element runs, and if it cannot. */
  fallback?: ReactNode
  /** The nonce of the page's Content Security Policy, for the element's script. */
  nonce?: string | undefined
  /** The `integrity` of the script, as `/api-key-settings.json` of the vault has it. */
  integrity?: string | undefined
  className?: string
  style?: CSSProperties
}

const NOT_LOADED: ErrorDetail = {
  code: 'not_loaded',
  message: 'The API key settings did not load.',
  detail: '',
  requestId: null,
}

/**
 * Shows the keys of `userId`, or of `teamId`. If it cannot, it shows the fallback: it never throws into the application.
 * Its `ref` is the element, which has `reload()` once it runs.
 *
 * @example
 * <ApiKeySettings baseUrl="https://vault.example.com" userId={user.id} getToken={getToken} />
 */
export const ApiKeySettings = forwardRef<ApiKeySettingsElement, ApiKeySettingsProps>(
  function ApiKeySettings(props, ref) {
    const { baseUrl, nonce, integrity, lang, className, style, fallback } = props
    const element = useRef<ApiKeySettingsElement>(null)
    useImperativeHandle<ApiKeySettingsElement | null, ApiKeySettingsElement | null>(
      ref,
      () => element.current,
      [],
    )
    // Properties, not attributes: an older React knows only attributes, which cannot hold a function.
    useLayoutEffect(() => {
      // Another element of this name may refuse them, and would throw if they were assigned.
      for (const [name, value] of Object.entries(propertiesOf(props))) {
        if (element.current !== null) Reflect.set(element.current, name, value)
      }
    })
    useDetail(element, 'loaded', props.onLoaded)
    useDetail(element, 'saved', props.onSaved)
    useDetail(element, 'deleted', props.onDeleted)
    useDetail(element, 'changed', props.onChanged)
    useDetail(element, 'error', props.onError)
    useElement({ baseUrl, nonce, integrity }, props.onError)
    return createElement(
      'api-key-settings',
      { ref: element, lang, class: className, style },
      fallback,
    )
  },
)

/** The element's properties. One that is left out has its default, also if it was set before. */
function propertiesOf(props: ApiKeySettingsProps): Partial<ApiKeySettingsElement> {
  const { baseUrl, userId, teamId = null, getToken, providers, texts = null, signIn } = props
  const { theme = null, density = null, headingLevel = 3 } = props
  return {
    baseUrl,
    userId,
    // Without a signed-in user there is no token for the team.
    teamId: userId === null ? null : teamId,
    getToken,
    // A JavaScript application may give a string, as in HTML.
    providers: providers === undefined ? null : [providers].flat().join(' '),
    texts,
    theme,
    density,
    headingLevel,
    signIn,
  }
}

/** Loads the element, and calls `hear` if that fails. */
function useElement(
  { baseUrl, nonce, integrity }: ElementScript,
  hear: ((detail: ErrorDetail) => void) | undefined,
): void {
  const latest = useLatest(hear)
  useEffect(() => {
    let isMounted = true
    loadElement({ baseUrl, nonce, integrity }).catch((error: unknown) => {
      if (!isMounted) return
      console.error(String(error))
      latest.current?.(NOT_LOADED)
    })
    return () => {
      isMounted = false
    }
  }, [baseUrl, nonce, integrity, latest])
}

/** Applications pass a new function at every render: the latest one is called. */
function useLatest<Value>(value: Value): { readonly current: Value } {
  const latest = useRef(value)
  useLayoutEffect(() => {
    latest.current = value
  })
  return latest
}

/** Calls `hear` with the detail of each event of the type. */
function useDetail<Type extends keyof Details>(
  element: { readonly current: HTMLElement | null },
  type: Type,
  hear: ((detail: Details[Type]) => void) | undefined,
): void {
  const latest = useLatest(hear)
  useEffect(() => {
    const { current } = element
    const listen = (event: CustomEventInit<Details[Type]>) => {
      if (event.detail !== undefined) latest.current?.(event.detail)
    }
    current?.addEventListener(type, listen)
    return () => current?.removeEventListener(type, listen)
  }, [element, type, latest])
}
