'use client'

import { useRef, useState } from 'react'
import { ApiKeySettings, type ApiKeySettingsElement } from 'user-key-vault/react'

async function getToken(): Promise<string> {
  const response = await fetch('/api/session')
  const { token }: { token: string } = await response.json()
  return token
}

export function Settings({ userId }: { userId: string | null }) {
  const settings = useRef<ApiKeySettingsElement>(null)
  const [heard, setHeard] = useState('')
  const hear = (event: string) => setHeard((before) => `${before}${event};`)
  return (
    <>
      <ApiKeySettings
        ref={settings}
        baseUrl={process.env.NEXT_PUBLIC_VAULT_URL ?? ''}
        userId={userId}
        getToken={getToken}
        signIn={async () => hear('signed in')}
        providers={['openai', 'groq']}
        density="compact"
        headingLevel={2}
        onLoaded={({ keys }) => hear(`loaded ${keys}`)}
        onSaved={({ provider }) => hear(`saved ${provider}`)}
        onDeleted={({ provider }) => hear(`deleted ${provider}`)}
        onChanged={({ provider, change }) => hear(`changed ${provider} ${change}`)}
        onError={({ code }) => hear(`error ${code}`)}
        fallback={<p>Your keys are loading.</p>}
      />
      <button onClick={() => settings.current?.reload()}>Reload</button>
      <output>{heard}</output>
    </>
  )
}
