import { createApp } from 'vue'
import Settings from './Settings.vue'

createApp(Settings).mount('#app')
