/** Tells the receiver which events became dead letters. A test also sends events with its binding `QUEUE`. */

interface Bindings {
  RECEIVER: string
}

export default {
  async queue({ messages }, { RECEIVER }) {
    const body = JSON.stringify(messages.map((message) => message.body))
    await fetch(`${RECEIVER}/dead`, { method: 'POST', body })
  },
} satisfies ExportedHandler<Bindings>
