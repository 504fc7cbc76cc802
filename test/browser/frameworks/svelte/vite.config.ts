import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [svelte()],
  // The texts of the element stay files, which it loads when it needs them.
  build: { assetsInlineLimit: 0 },
})
