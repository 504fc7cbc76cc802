import { createApp } from 'vue'
import { readSession } from './session'
import Settings from './Settings.vue'

const { userId } = await readSession()
createApp(Settings, { userId }).mount('#app')
