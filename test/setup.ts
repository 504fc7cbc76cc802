import { env } from 'cloudflare:workers'
import schema from '../schema.sql?raw'

await env.DB.prepare(schema).run()
