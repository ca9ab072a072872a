// Page of one side: `?payment=ID` watches, `?payment=ID&pay` pays.
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { PayerPage, ShopPage } from './payment'

const query = new URLSearchParams(location.search)
const Page = query.has('pay') ? PayerPage : ShopPage

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Page url={query.get('server') ?? location.origin} roomId={query.get('payment')!} onPaid={() => { document.title += ' receipt' }} />
  </StrictMode>
)
