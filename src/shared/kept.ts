/** What an isolate keeps, within a bound of bytes: the least recently used goes first. */

/** What a value takes besides its characters: objects, and the entry of the map. */
const ENTRY_BYTES = 400

interface Entry<Value> {
  value: Value
  bytes: number
}

/** A map of values by name. Its bytes are an estimate: two for each character, and {@link ENTRY_BYTES} for each entry. */
export class Kept<Value> {
  readonly #entries = new Map<string, Entry<Value>>()
  readonly #most: number
  #bytes = 0

  constructor(most: number) {
    this.#most = most
  }

  get bytes(): number {
    return this.#bytes
  }

  /** All values, the least recently used first. */
  values(): Value[] {
    return Array.from(this.#entries.values(), ({ value }) => value)
  }

  /** The value, which counts as used now. */
  get(name: string): Value | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    this.#entries.delete(name)
    this.#entries.set(name, entry)
    return entry.value
  }

  /** Keeps a value of so many characters. One that is larger than the bound is not kept. @returns the values that had to go */
  set(name: string, value: Value, characters: number): Value[] {
    this.delete(name)
    const bytes = ENTRY_BYTES + 2 * (name.length + characters)
    if (bytes > this.#most) return [value]
    this.#entries.set(name, { value, bytes })
    this.#bytes += bytes
    const gone: Value[] = []
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#most) break
      this.delete(oldest)
      gone.push(entry.value)
    }
    return gone
  }

  /** Drops the values that were not used for longest, as long as they are old. */
  dropOld(isOld: (value: Value) => boolean): void {
    for (const [oldest, { value }] of this.#entries) {
      if (!isOld(value)) break
      this.delete(oldest)
    }
  }

  delete(name: string): void {
    this.#bytes -= this.#entries.get(name)?.bytes ?? 0
    this.#entries.delete(name)
  }
}
