// Page of one side: `?payment=ID` watches, `?payment=ID&pay` pays.
import { createApp } from 'vue'
import PayerPage from './PayerPage.vue'
import ShopPage from './ShopPage.vue'

const query = new URLSearchParams(location.search)

createApp(query.has('pay') ? PayerPage : ShopPage, {
  url: query.get('server') ?? location.origin,
  roomId: query.get('payment'),
  onPaid: () => { document.title += ' receipt' }
}).mount('#root')
