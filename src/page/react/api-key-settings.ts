'use client'

/** `<ApiKeySettings>`: the settings element as a React component. It loads the element from the vault. */

import {
  createElement,
  useEffect,
  useLayoutEffect,
  useRef,
  type CSSProperties,
  type ReactNode,
} from 'react'
import type {
  DeletedDetail,
  Details,
  ErrorDetail,
  GetToken,
  SavedDetail,
  Texts,
} from '../element/host.ts'
import { loadElement, type ElementScript } from './element-script.ts'

export type { DeletedDetail, ErrorDetail, GetToken, SavedDetail, Texts }

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
  onSaved?: (detail: SavedDetail) => void
  onDeleted?: (detail: DeletedDetail) => void
  /** It also hears that the element's script did not load: `not_loaded`. */
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
 *
 * @example
 * <ApiKeySettings baseUrl="https://vault.example.com" userId={user.id} getToken={getToken} />
 */
export function ApiKeySettings(props: ApiKeySettingsProps) {
  const { baseUrl, userId, teamId, getToken, providers, lang, texts } = props
  const { className, style, nonce, integrity, fallback } = props
  const element = useRef<HTMLElement>(null)
  // A JavaScript application may give a string, as in HTML.
  const names = providers === undefined ? null : [providers].flat().join(' ')
  // Properties, not attributes: an older React knows only attributes, which cannot hold a function.
  useLayoutEffect(() => {
    const properties = {
      baseUrl,
      userId,
      // Without a signed-in user there is no token for the team.
      teamId: userId === null ? null : (teamId ?? null),
      getToken,
      providers: names,
      texts: texts ?? null,
    }
    // Another element of this name may refuse them, and would throw if they were assigned.
    for (const [name, value] of Object.entries(properties)) {
      if (element.current !== null) Reflect.set(element.current, name, value)
    }
  })
  useDetail(element, 'saved', props.onSaved)
  useDetail(element, 'deleted', props.onDeleted)
  useDetail(element, 'error', props.onError)
  useElement({ baseUrl, nonce, integrity }, props.onError)
  return createElement(
    'api-key-settings',
    { ref: element, lang, class: className, style },
    fallback,
  )
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
