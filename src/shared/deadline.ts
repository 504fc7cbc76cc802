/** A time limit for what may never answer. */

/** `work`, unless it takes longer than `ms`. @throws Error then; what `work` throws, before */
export async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(new Error(`There was no answer within ${ms} ms`)), ms)
  const end = <Outcome>(settle: (outcome: Outcome) => void) => {
    return (outcome: Outcome) => {
      clearTimeout(timer)
      settle(outcome)
    }
  }
  void work.then(end(resolve), end(reject))
  return promise
}
