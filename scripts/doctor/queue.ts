/** Checks the queue that gets the events. */

import { wranglerCommand } from '../lib/advice.ts'
import { runWrangler } from '../lib/wrangler.ts'
import type { Given } from './configuration.ts'
import { ok, skipped, wrong, type Outcome } from './finding.ts'

const BINDING = 'EVENTS_QUEUE'

export async function checkQueue({ config, remote }: Given): Promise<Outcome> {
  const producer = config.queues.producers?.find(({ binding }) => binding === BINDING)
  if (producer === undefined) return skipped(`${BINDING} is not configured: no event is published.`)
  const { queue } = producer
  if (!remote) return ok(`Wrangler simulates ${queue} on this machine.`)
  return runWrangler('queues', 'info', queue).then(
    () => ok(`${queue} exists.`),
    ({ message }: Error) => {
      const [, reason = ''] = message.split('\n')
      return wrong(`${queue} cannot be read. ${reason}`, wranglerCommand(`queues create ${queue}`))
    },
  )
}
