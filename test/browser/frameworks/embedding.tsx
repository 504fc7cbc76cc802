import { useState } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiKeySettings } from '../../../src/page/react/api-key-settings.ts'
import { getToken, given, hear, user, vault } from './host.ts'

/** An application with text of its own, which must stay on the page whatever happens to the element. */
function App() {
  const [shown, show] = useState(0)
  return (
    <>
      <p>The text of the application</p>
      <button onClick={() => show(shown + 1)}>Show again</button>
      <ApiKeySettings
        key={shown}
        baseUrl={vault}
        userId={user}
        teamId={given.get('team')}
        getToken={getToken}
        nonce={given.get('nonce') ?? undefined}
        integrity={given.get('integrity') ?? undefined}
        fallback={<p>Your keys cannot be shown now.</p>}
        onError={({ code, message }) => hear('error', `${code} ${message}`)}
      />
    </>
  )
}

const app = document.getElementById('app')
if (app !== null) createRoot(app).render(<App />)
