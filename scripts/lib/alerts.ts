/** Which log lines somebody should act on: as a table, as rules for Loki, and as rules for the Tail Worker of `examples/alerts/`. */

import { readFileSync } from 'node:fs'
import type { LOG_EVENTS } from '../../src/log-lines.ts'
import type { ErrorCode } from '../../src/shared/error-code.ts'

type EventName = keyof typeof LOG_EVENTS

/** How soon somebody should look. */
type Urgency = 'at once' | 'today' | 'later'

/** An alert fires if more than `most` lines came within `minutes`. */
export interface Alert {
  name: string
  events: readonly [EventName, ...EventName[]]
  /** The lines with these values alone. */
  codes?: readonly ErrorCode[]
  reasons?: readonly string[]
  urgency: Urgency
  most: number
  minutes: number
  /** What to do: Markdown, with links as in docs/alerts.md. */
  do: string
}

const ONCE = { most: 0, minutes: 5 }
/** A job runs every minute: one run that fails is repeated by the next. */
const SEVERAL_RUNS = { most: 3, minutes: 10 }
const OFTEN = { most: 10, minutes: 10 }

export const ALERTS: readonly Alert[] = [
  {
    name: 'VaultMisconfigured',
    events: ['error', 'binding_call'],
    codes: ['server_misconfigured', 'unhealthy'],
    urgency: 'at once',
    ...ONCE,
    do: 'For example, a variable is wrong, or the database does not answer, is full or lacks a migration. The line says which',
  },
  {
    name: 'VaultBug',
    events: ['error', 'binding_call'],
    codes: ['internal'],
    urgency: 'at once',
    ...ONCE,
    do: 'This is a bug. Report it with the stack',
  },
  {
    name: 'VaultEncryptionKeyMissing',
    events: ['api_key_unreadable'],
    reasons: ['key_id_not_in_keyring'],
    urgency: 'at once',
    ...ONCE,
    do: 'Put the encryption key back: [A lost or wrong key](rotation.md#a-lost-or-wrong-key)',
  },
  {
    name: 'VaultKeyDoesNotOpen',
    events: ['api_key_unreadable'],
    reasons: ['does_not_open'],
    urgency: 'at once',
    ...ONCE,
    do: 'If `key_id` is `fernet`, `LEGACY_FERNET_KEY` may lack the key of an imported row: add it, or ask the user for the key again. Otherwise somebody may have changed the database: compare it with a backup',
  },
  {
    name: 'VaultDeletionsNotCopied',
    events: ['deletions_not_copied'],
    urgency: 'at once',
    ...SEVERAL_RUNS,
    do: 'After 3 minutes each use asks the second store, and is refused if that does not answer',
  },
  {
    name: 'VaultDeletionsHeld',
    events: ['deletions_held'],
    urgency: 'today',
    ...ONCE,
    do: 'Somebody wrote to the database. Confirm the deletions, or delete the tombstones: [Held tombstones](backup.md#held-tombstones)',
  },
  {
    name: 'VaultJobFailing',
    events: ['rewrap_failed', 'expiry_failed', 'trail_not_trimmed', 'recheck_failed'],
    urgency: 'today',
    ...SEVERAL_RUNS,
    do: 'A rotation does not move, expired keys or old events stay, or idle keys are not checked. Nothing is lost',
  },
  {
    name: 'VaultRateLimiterFailing',
    events: ['rate_limiter_failed'],
    urgency: 'today',
    ...OFTEN,
    do: 'Requests are not limited until the limiter works again',
  },
  {
    name: 'VaultDatabaseBusy',
    events: ['error', 'binding_call'],
    codes: ['database_busy'],
    urgency: 'today',
    ...OFTEN,
    do: 'Look at D1: [When D1 fails](failures.md#when-d1-fails)',
  },
  {
    name: 'VaultDatabaseRetried',
    events: ['database_retried'],
    urgency: 'today',
    ...OFTEN,
    do: 'Look at D1. Cloudflare restarts databases now and then, but not all the time',
  },
  {
    name: 'VaultTokenKeysUnreachable',
    events: ['error', 'binding_call'],
    codes: ['token_keys_unreachable'],
    urgency: 'today',
    ...OFTEN,
    do: 'Look at the identity provider',
  },
  {
    name: 'VaultSignInBroken',
    events: ['sign_in_discovery_failed'],
    urgency: 'today',
    ...OFTEN,
    do: 'Look at the identity provider. If its token endpoint is on another host than `OIDC_ISSUER`, nobody can sign in on the page',
  },
  {
    name: 'VaultManyRequestsLimited',
    events: ['request'],
    codes: ['rate_limited'],
    urgency: 'today',
    most: 100,
    minutes: 10,
    do: 'One user, one caller, or one address sends too many requests. Look for a loop in your own clients. Block anybody else with Cloudflare’s own rules',
  },
  {
    name: 'VaultEventsNotQueued',
    events: ['event_not_queued'],
    urgency: 'today',
    ...ONCE,
    do: 'Look at the [queue](webhooks.md#what-is-lost-when). Your application did not hear of these events: read them from the trail',
  },
  {
    name: 'VaultSocketsNotChecked',
    events: ['socket_not_checked'],
    urgency: 'today',
    ...OFTEN,
    do: 'Look at D1. Until it works, open WebSockets outlive a pause or a deletion of their key',
  },
  {
    name: 'VaultKeysNotReadAnew',
    events: ['key_not_read_anew'],
    urgency: 'today',
    ...OFTEN,
    do: 'Look at D1. Keys in use work for some seconds without it, and then uses are refused',
  },
  {
    name: 'VaultTrailIncomplete',
    events: ['not_in_trail'],
    urgency: 'today',
    ...ONCE,
    do: 'Look at D1. The trail lacks uses, so owners do not see them',
  },
  {
    name: 'VaultUsesNotRecorded',
    events: ['use_not_recorded', 'uses_not_recorded'],
    urgency: 'later',
    ...OFTEN,
    do: 'The status of a key may be out of date, or the trail is behind. If the isolate ends before D1 works again, its counts are lost',
  },
  {
    name: 'VaultRestored',
    events: ['restored_keys_deleted'],
    urgency: 'later',
    ...ONCE,
    do: 'Somebody restored the database. If it was not you, find out who',
  },
  {
    name: 'VaultLimiterMissing',
    events: ['limiter_missing'],
    urgency: 'later',
    ...ONCE,
    do: 'Copy the missing `[[ratelimits]]` from `wrangler.toml` into your own file',
  },
  {
    name: 'VaultTokenKeysDropped',
    events: ['token_keys_dropped'],
    urgency: 'later',
    ...ONCE,
    do: 'The identity provider publishes a bad key',
  },
  {
    name: 'VaultExportBrokenOff',
    events: ['export_broken_off'],
    urgency: 'later',
    ...OFTEN,
    do: 'Look at D1. Somebody has half a file, and has to ask again',
  },
  {
    name: 'VaultNotCounted',
    events: ['not_counted'],
    urgency: 'later',
    ...OFTEN,
    do: 'A figure of the dataset may be too low',
  },
]

/** The files that are made of the alerts, by their paths. */
export function renderAlertFiles(): Map<string, string> {
  const page = readFileSync(PAGE, 'utf8')
  const [before = '', rest = ''] = page.split(BEGIN)
  const [, after = ''] = rest.split(END)
  return new Map([
    [PAGE, `${before}${BEGIN}\n\n${renderAlertTable()}\n\n${END}${after}`],
    ['examples/alerts/loki-rules.yaml', renderLokiRules()],
    ['examples/alerts/tail-rules.json', renderTailRules()],
  ])
}

const PAGE = 'docs/alerts.md'
const [BEGIN, END] = ['<!-- npm run log-lines -- write -->', '<!-- end -->']

/** The lines of a table in Markdown. */
function renderAlertTable(): string {
  const rows = ALERTS.map((alert) => {
    const { name, urgency, most, minutes } = alert
    const when = most === 0 ? 'a line' : `more than ${most} lines in ${minutes} minutes`
    return `| \`${name}\` | ${describeLines(alert)} | ${when} | ${urgency} | ${alert.do} |`
  })
  return [
    '| alert | lines | fires after | look | do |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

const list = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ')

function describeLines({ events, codes, reasons }: Alert): string {
  const values = [...(codes ?? []), ...(reasons ?? [])]
  return values.length === 0 ? list(events) : `${list(events)} with ${list(values)}`
}

/** Rules for the ruler of Loki, which Grafana reads too. A text in JSON is one in YAML. */
function renderLokiRules(): string {
  const rules = ALERTS.map((alert) => {
    const { name, urgency, minutes, most } = alert
    const filters = [
      ['event', alert.events],
      ['code', alert.codes],
      ['reason', alert.reasons],
    ] as const
    const selected = filters.flatMap(([label, values]) =>
      values === undefined ? [] : `${label}=~"${values.join('|')}"`,
    )
    const query = ['{service_name="user-key-vault"} | json', ...selected].join(' | ')
    return `      - alert: ${name}
        expr: ${JSON.stringify(`sum(count_over_time(${query} [${minutes}m])) > ${most}`)}
        labels:
          severity: ${SEVERITIES[urgency]}
        annotations:
          summary: ${JSON.stringify(withoutLinks(alert.do))}`
  })
  return `# Made by: npm run log-lines -- write\ngroups:\n  - name: user-key-vault\n    rules:\n${rules.join('\n')}\n`
}

const SEVERITIES: Record<Urgency, string> = {
  'at once': 'critical',
  today: 'warning',
  later: 'info',
}

/** Rules for the Tail Worker, which sends each line that somebody should look at at once or today. */
function renderTailRules(): string {
  const rules = ALERTS.filter(({ urgency }) => urgency !== 'later').map((alert) => {
    const { name, events, codes, reasons, urgency } = alert
    return { name, events, codes, reasons, urgency, do: withoutLinks(alert.do) }
  })
  return `${JSON.stringify(rules, null, 2)}\n`
}

function withoutLinks(text: string): string {
  return text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
}
