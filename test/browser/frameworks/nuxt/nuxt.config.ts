export default defineNuxtConfig({
  compatibilityDate: '2026-11-01',
  // Set by NUXT_JWT_SECRET_KEY and NUXT_PUBLIC_VAULT_URL.
  runtimeConfig: { jwtSecretKey: '', public: { vaultUrl: '' } },
  vue: { compilerOptions: { isCustomElement: (tag) => tag === 'api-key-settings' } },
  app: {
    head: { title: 'Settings', htmlAttrs: { lang: 'en' }, link: [{ rel: 'icon', href: 'data:,' }] },
  },
})
