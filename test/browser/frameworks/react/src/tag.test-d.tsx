/** The element without its component. React 18 passes attributes alone. */

import { useRef } from 'react'
import type { ApiKeySettingsElement } from 'user-key-vault/element'

export function Settings() {
  const settings = useRef<ApiKeySettingsElement>(null)
  return (
    <api-key-settings
      ref={settings}
      base-url="https://vault.example.com"
      user-id={null}
      theme="dark"
      heading-level={2}
      lang="de"
      className="settings"
    />
  )
}

// @ts-expect-error: it is a function, which is not an attribute.
export const property = <api-key-settings getToken={() => 'token'} />
// @ts-expect-error: React 18 does not listen.
export const listener = <api-key-settings onsaved={() => {}} />
// @ts-expect-error: there is no such theme.
export const theme = <api-key-settings theme="blue" />
