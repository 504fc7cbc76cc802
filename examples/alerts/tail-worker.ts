/** A Tail Worker that sends the vault's log lines on which somebody should act to a webhook, such as one of Slack. */

import rules from './tail-rules.json'

interface Env {
  /** Where the alerts go: a secret, since whoever has the address can write there. */
  ALERT_URL: string
}

interface Line {
  event: string
  code?: string | null
  reason?: string
  request_id?: string
}

export default {
  async tail(events: readonly Pick<TraceItem, 'logs'>[], env): Promise<void> {
    const lines = events.flatMap(({ logs }) => logs).flatMap(({ message }) => readLines(message))
    const alerts = lines.flatMap((line) => describe(line) ?? [])
    if (alerts.length === 0) return
    const response = await fetch(env.ALERT_URL, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ text: [...new Set(alerts)].join('\n') }),
    })
    // Cloudflare then shows the failure beside this Worker.
    if (!response.ok) throw new Error(`ALERT_URL answered with the status ${response.status}`)
  },
} satisfies ExportedHandler<Env>

/** The JSON lines of a call of `console`. Other programs' lines are left out. */
function readLines(message: unknown): Line[] {
  const texts: unknown[] = Array.isArray(message) ? message : [message]
  return texts.flatMap((text) => {
    try {
      const line: Line = JSON.parse(String(text))
      return typeof line?.event === 'string' ? [line] : []
    } catch {
      return []
    }
  })
}

/** Whether a rule that names `values` is about the value. */
function has(values: readonly string[] | undefined, value: string | null | undefined): boolean {
  return values === undefined || values.includes(value ?? '')
}

/** What to tell of a line; null if nobody has to act. It has no user id, so that none leaves your account. */
function describe({ event, code, reason, request_id }: Line): string | null {
  const rule = rules.find(
    (one) => one.events.includes(event) && has(one.codes, code) && has(one.reasons, reason),
  )
  if (rule === undefined) return null
  const request = request_id === undefined ? '' : ` (request ${request_id})`
  return `${rule.name}, look ${rule.urgency}: ${rule.do}.${request}`
}
