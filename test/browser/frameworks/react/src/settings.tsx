import { useRef, useState } from 'react'
import { ApiKeySettings, type ApiKeySettingsElement } from 'user-key-vault/react'
import { getToken } from './session'

export function Settings({ userId }: { userId: string }) {
  const settings = useRef<ApiKeySettingsElement>(null)
  const [heard, setHeard] = useState('')
  const hear = (event: string) => setHeard((before) => `${before}${event};`)
  return (
    <main>
      <h1>Settings in React</h1>
      <ApiKeySettings
        ref={settings}
        baseUrl={import.meta.env['VITE_VAULT_URL']}
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
    </main>
  )
}
