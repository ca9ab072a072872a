// @ts-check
// The console: finds out what its visitor may do, keeps the list of payments up to date, and connects the panels.
import { button, byId, element } from './elements.js'
import { Feed } from './feed.js'
import { FunnelPanel } from './funnel.js'
import { inEveryLanguage, say, translatePage, words } from './i18n.js'
import { List } from './list.js'
import { MOODS, STEP_TEXTS } from './outcome.js'
import { MAX_PAYMENTS, Payments, VIEWS } from './payments.js'
import { RoomPanel } from './room.js'
import { call, forgetKey, getKey, setKey } from './server.js'
import { setText } from './shown.js'
import { SidePanels } from './side.js'
import { StalledPanel } from './stalled.js'

/** Payments of one page of the list of rooms. */
const PAGE = 500
/** Interval at which the next page is read, ms. A lap over 5,000 payments takes 50 s; the changes come at once, by the stream. */
const PAGE_INTERVAL = 5_000
const SIDE_INTERVAL = 15_000
/** Shortest time between two paints of the list, ms. */
const PAINT_INTERVAL = 500

const payments = new Payments()
/** @type {import('./payments.js').Filter} */
const filter = { view: 'all', status: '', step: '', text: '' }
/** Difference between the clock of the server and that of this browser, ms. */
let offset = 0
const now = () => Date.now() + offset
/** @type {RoomPanel} */
let room
const list = new List((roomId) => openRoom(roomId))
const stalled = new StalledPanel((roomId) => openRoom(roomId))
/** @type {ReturnType<typeof setTimeout> | undefined} */
let painting

translatePage()
makeFilters()
byId('key').addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault()
  setKey(byId('key-field').value.trim())
  // A key that was withdrawn meanwhile is replaced from the beginning.
  if (byId('console').hidden) void start()
  else location.reload()
})
byId('forget').addEventListener('click', () => {
  forgetKey()
  location.reload()
})
void start()

async function start () {
  const { status, body } = await call('GET', 'console/access').catch(() => ({ status: 0, body: undefined }))
  const needsKey = status === 401 || status === 403
  byId('key').hidden = !needsKey
  byId('problem').hidden = status === 200 || needsKey
  if (status === 200) return begin(body.data)
  if (!needsKey) return status === 0 ? say(byId('problem'), 'unreachable') : say(byId('problem'), 'serverSays', body)
  if (getKey() !== undefined) say(byId('key-problem'), 'keyRefused')
  byId('key-field').focus()
}

/** @param {import('./room.js').Access} access */
async function begin (access) {
  const { body } = await call('GET', '').catch(() => ({ body: undefined }))
  byId('docs').hidden = !body?.docs
  byId('forget').hidden = getKey() === undefined
  byId('reads-only').hidden = access.manages
  byId('console').hidden = false
  room = new RoomPanel(access, now)
  byId('room-back').addEventListener('click', closeRoom)
  addEventListener('keydown', ({ key }) => { if (key === 'Escape' && !byId('confirm').open) closeRoom() })
  addEventListener('hashchange', showHash)
  const side = new SidePanels({ manages: access.manages, onOpen: openRoom })
  const funnel = new FunnelPanel()
  const readSides = () => Promise.all([side.read(), funnel.read()])
  const feed = new Feed({
    onChange: (change) => {
      payments.apply(change)
      if (change.data.roomId === room.roomId) room.refresh()
      paintSoon()
    },
    onGap: () => { void readAll() },
    onStatus: (status) => {
      byId('live').dataset.status = status
      say(byId('live'), status)
    }
  })
  void feed.start()
  showHash()
  void readSides()
  await readAll()
  void readOn()
  setInterval(readSides, SIDE_INTERVAL)
  setInterval(tick, 1_000)
}

function tick () {
  room.tick()
  paintSoon()
}

/** Position in the current lap over the list. @type {string | null} */
let cursor = null

/** Reads the next page of the list. @returns {Promise<boolean>} false at the end of a lap, and where the server did not answer */
async function readPage () {
  if (cursor === null) payments.beginLap()
  const { status, body } = await call('GET', `api/rooms?sort=newest&limit=${PAGE}${cursor === null ? '' : `&cursor=${cursor}`}`).catch(() => ({ status: 0, body: undefined }))
  if (status === 401) byId('key').hidden = false
  if (status !== 200) return false
  offset = body.timestamp - Date.now()
  const hasRoom = payments.takePage(body.data.rooms)
  cursor = hasRoom ? body.data.cursor : null
  if (cursor === null) payments.endLap(!hasRoom)
  paintSoon()
  return cursor !== null
}

/** The last read: one at a time, since each goes on from the page before. @type {Promise<boolean>} */
let reading = Promise.resolve(false)
const readNext = () => (reading = reading.then(readPage))

async function readAll () {
  cursor = null
  while (await readNext());
}

async function readOn () {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAGE_INTERVAL))
    if (document.visibilityState === 'visible') await readNext()
  }
}

function paintSoon () {
  painting ??= setTimeout(() => {
    painting = undefined
    requestAnimationFrame(paint)
  }, PAINT_INTERVAL)
}

function paint () {
  const found = payments.select(filter)
  list.show(found, { selected: room?.roomId, now: now() })
  stalled.show(payments.select({ view: 'stalled', status: '', step: '', text: '' }), now())
  const counts = payments.counts()
  for (const view of byId('views').children) setText(view.querySelector('.number'), (counts[view.dataset.view] ?? 0).toLocaleString(document.documentElement.lang))
  setText(byId('count'), words(payments.isPartial ? 'countPartial' : 'count', { found: found.length, all: payments.size, most: MAX_PAYMENTS }))
  byId('empty').hidden = found.length > 0
  if (found.length === 0) setText(byId('empty'), words(payments.size === 0 ? 'noPayments' : 'noMatch'))
}

function makeFilters () {
  const refilter = () => {
    list.reset()
    paint()
  }
  byId('views').replaceChildren(...Object.keys(VIEWS).map((view) => {
    const tile = button([`view_${view}`], () => {
      filter.view = view
      for (const other of byId('views').children) other.setAttribute('aria-pressed', String(other === tile))
      refilter()
    }, { class: 'tile', 'data-view': view, 'aria-pressed': String(view === filter.view) })
    const name = element('span', { say: [`view_${view}`] })
    delete tile.dataset.t
    tile.replaceChildren(element('b', { class: 'number' }, '0'), name)
    return tile
  }))
  const options = (/** @type {Array<[value: string, text: string]>} */ all) => [['', 'any'], ...all].map(([value = '', text = '']) => element('option', { value, say: [text] }))
  byId('status').replaceChildren(...options(Object.keys(MOODS).map((status) => [status, status])))
  byId('step').replaceChildren(...options(/** @type {Array<[string, string]>} */ (Object.entries(STEP_TEXTS))))
  for (const name of /** @type {const} */ (['text', 'status', 'step'])) {
    byId(name).addEventListener('input', () => {
      filter[name] = byId(name).value
      refilter()
    })
  }
  byId('filters').addEventListener('submit', (/** @type {Event} */ event) => event.preventDefault())
  for (const name of ['previous', 'next']) byId(name).addEventListener('click', paint)
  inEveryLanguage(() => { if (!byId('console').hidden) paint() })
}

/** The chosen payment is in the address, so that a colleague can be sent it. @param {string} roomId */
function openRoom (roomId) {
  const hash = `#room=${encodeURIComponent(roomId)}`
  if (location.hash === hash) showHash()
  else location.hash = hash
}

function closeRoom () {
  const { roomId } = room
  if (roomId === undefined) return
  history.replaceState(null, '', location.pathname)
  showHash()
  list.focus(roomId)
}

function showHash () {
  const roomId = new URLSearchParams(location.hash.slice(1)).get('room')
  document.body.classList.toggle('has-room', roomId !== null)
  if (roomId === null) room.close()
  else {
    void room.open(roomId)
    byId('room-title').focus()
  }
  paint()
}
