/** A Worker bound to the vault that tells what a call by any name, through any of its bindings, comes to. */

export default {
  fetch: async (request: Request, env: Record<string, object>): Promise<Response> => {
    const { searchParams } = new URL(request.url)
    const binding = env[searchParams.get('binding') ?? '']
    const name = searchParams.get('name') ?? ''
    if (binding === undefined) return new Response(null, { status: 404 })
    try {
      const member: unknown = Reflect.get(binding, name)
      const called = typeof member === 'function'
      // oxlint-disable-next-line await-thenable -- a member of a stub is
      const value: unknown = await (called ? Reflect.apply(member, binding, ['user']) : member)
      return Response.json({ value: JSON.stringify(value) ?? String(value) })
    } catch (error) {
      return Response.json({ error: String(error) })
    }
  },
}
