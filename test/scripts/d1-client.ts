/**
 * A client of a D1 database in workerd. Each batch is one request: the client that Miniflare brings blocks this
 * process at each `prepare` and `bind`.
 */

/** What a statement asks, as the Worker gets it. */
interface Asked {
  sql: string
  values: readonly unknown[]
}

/** The Worker that answers the client. It needs the binding `DB`. */
export const D1_SERVER = `export default {
  async fetch(request, { DB }) {
    const asked = await request.json()
    const statements = asked.map(({ sql, values }) => DB.prepare(sql).bind(...values))
    return DB.batch(statements).then(
      (results) => Response.json({ results }),
      ({ message }) => Response.json({ message }),
    )
  },
}`

type Send = (asked: readonly Asked[]) => Promise<Response>

const isMissing = async (): Promise<never> => {
  throw new Error('This client of D1 has only prepare, bind, all, run and batch')
}

class Statement implements D1PreparedStatement {
  readonly #client: D1Client
  readonly asked: Asked

  constructor(client: D1Client, asked: Asked) {
    this.#client = client
    this.asked = asked
  }

  bind(...values: unknown[]): Statement {
    return new Statement(this.#client, { ...this.asked, values })
  }

  async all<T>(): Promise<D1Result<T>> {
    const [result] = await this.#client.batch<T>([this])
    if (result === undefined) throw new Error('D1 did not answer')
    return result
  }

  async run<T>(): Promise<D1Result<T>> {
    return this.all<T>()
  }

  readonly first = isMissing
  readonly raw = isMissing
}

/** The database behind `send`, which sends statements to {@link D1_SERVER}. */
export class D1Client implements D1Database {
  readonly #send: Send

  constructor(send: Send) {
    this.#send = send
  }

  prepare(sql: string): Statement {
    return new Statement(this, { sql, values: [] })
  }

  async batch<T>(statements: readonly D1PreparedStatement[]): Promise<D1Result<T>[]> {
    const asked = statements.flatMap((one) => (one instanceof Statement ? [one.asked] : []))
    const response = await this.#send(asked)
    const { results, message }: { results: D1Result<T>[]; message?: string } = await response.json()
    if (message !== undefined) throw new Error(message)
    return results
  }

  readonly exec = isMissing
  readonly dump = isMissing

  withSession(): never {
    throw new Error('This client of D1 has no sessions')
  }
}
