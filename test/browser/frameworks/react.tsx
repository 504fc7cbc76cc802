import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiKeySettings } from '../../../src/page/react/api-key-settings.ts'
import { getToken, given, hear, user, vault } from './host.ts'

function App() {
  const [saved, setSaved] = useState('nothing')
  return (
    <>
      <p>Saved: {saved}</p>
      <ApiKeySettings
        baseUrl={vault}
        userId={user}
        teamId={given.get('team')}
        getToken={(options) => getToken(options)}
        providers={['groq', 'openai']}
        texts={{ addKey: 'Bring a key' }}
        className="settings"
        onSaved={({ provider, status }) => {
          setSaved(`${provider} ${status}`)
          hear('saved', provider)
        }}
        onDeleted={({ provider }) => hear('deleted', provider)}
        onError={({ code }) => hear('error', code)}
      />
    </>
  )
}

const app = document.getElementById('app')
if (app !== null) {
  createRoot(app).render(
    <StrictMode>
      <App />
    </StrictMode>,
  )
}
