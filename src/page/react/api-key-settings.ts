'use client'

/** `<ApiKeySettings>`: the settings element as a React component. It loads the element from the vault. */

import { createElement, useEffect, useLayoutEffect, useRef, type CSSProperties } from 'react'
import type {
  DeletedDetail,
  Details,
  ErrorDetail,
  GetToken,
  SavedDetail,
  Texts,
} from '../element/host.ts'

export type { DeletedDetail, ErrorDetail, GetToken, SavedDetail, Texts }

export interface ApiKeySettingsProps {
  /** Where the vault is, such as `https://vault.example.com`. */
  baseUrl: string
  /** The token's `sub`; null until somebody is signed in. */
  userId: string | null
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
  onError?: (detail: ErrorDetail) => void
  className?: string
  style?: CSSProperties
}

/**
 * Shows the keys of `userId`.
 *
 * @example
 * <ApiKeySettings baseUrl="https://vault.example.com" userId={user.id} getToken={getToken} />
 */
export function ApiKeySettings(props: ApiKeySettingsProps) {
  const { baseUrl, userId, getToken, providers, lang, texts, className, style } = props
  const element = useRef<HTMLElement>(null)
  const names = providers?.join(' ') ?? null
  // Properties, not attributes: an older React knows only attributes, which cannot hold a function.
  useLayoutEffect(() => {
    if (element.current === null) return
    Object.assign(element.current, { baseUrl, userId, getToken, providers: names })
    Object.assign(element.current, { texts: texts ?? null })
  })
  useDetail(element, 'saved', props.onSaved)
  useDetail(element, 'deleted', props.onDeleted)
  useDetail(element, 'error', props.onError)
  useEffect(() => loadElement(baseUrl), [baseUrl])
  return createElement('api-key-settings', { ref: element, lang, class: className, style })
}

/** Calls `hear` with the detail of each event of the type. */
function useDetail<Type extends keyof Details>(
  element: { readonly current: HTMLElement | null },
  type: Type,
  hear: ((detail: Details[Type]) => void) | undefined,
): void {
  const latest = useRef(hear)
  useLayoutEffect(() => {
    latest.current = hear
  })
  useEffect(() => {
    const { current } = element
    const listen = (event: CustomEventInit<Details[Type]>) => {
      if (event.detail !== undefined) latest.current?.(event.detail)
    }
    current?.addEventListener(type, listen)
    return () => current?.removeEventListener(type, listen)
  }, [element, type])
}

/** Adds the element's script to the page, once. */
function loadElement(baseUrl: string): void {
  const { href } = new URL('/api-key-settings.js', baseUrl)
  const scripts = Array.from(document.scripts, ({ src }) => src)
  if (customElements.get('api-key-settings') !== undefined || scripts.includes(href)) return
  document.head.append(
    Object.assign(document.createElement('script'), { type: 'module', src: href, crossOrigin: '' }),
  )
}
