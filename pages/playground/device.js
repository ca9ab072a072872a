// @ts-check
// One device: the client on a simulated network, and the connection's status, timeline and controls, which both pages show.
import { connect } from './client/index.js'
import { button } from './elements.js'
import { say } from './i18n.js'
import { Network } from './network.js'
import { BASE } from './server.js'
import { showStatus, Timeline } from './timeline.js'

/**
 * Joins the room, and shows the connection and the events on the page.
 * @param {Pick<import('./client/index.js').ConnectOptions, 'roomId' | 'role' | 'deviceId' | 'token' | 'storage' | 'presence'>} options
 * @param {{ chip: HTMLElement, log: HTMLElement, controls: HTMLElement }} page
 */
export function openDevice (options, { chip, log, controls }) {
  const timeline = new Timeline(log)
  const joins = new Joins(timeline)
  const sent = new Map()

  const network = new Network((frame, line) => {
    if (frame.type === 'ROOM_JOINED') joins.joined(frame.payload, line)
    // Acknowledgement of an event that was sent before a reload: this page has no promise for it.
    if (frame.type === 'ACK' && !device.own.has(frame.payload.id)) timeline.event({ type: sent.get(frame.payload.id), seq: frame.payload.seq }, ['afterReload'])
  }, ({ id, type }) => { if (id) sent.set(id, type) })

  // More socket attempts than the default before a stream is tried, since connections are lost on purpose here.
  const room = connect({ url: BASE, socketAttempts: 10, pongTimeout: 3_000, ...options, ...network.parts })
  const device = { room, network, timeline, own: new Set(), close }

  room.on('status', (status) => {
    showStatus(chip, status)
    if (status !== 'offline') return
    joins.lostAt = Date.now()
    timeline.note('bad', network.isOffline ? 'wentOffline' : 'lost')
  })
  room.on('event', (event) => timeline.event(event, joins.hasReplayed(event) ? ['replayed'] : []))
  room.on('gap', ({ before }) => { if (before) timeline.note('bad', 'gap') })
  room.on('error', ({ code, message }) => timeline.note('bad', 'refused', { code, message }))
  room.on('closed', ({ reason }) => {
    for (const control of controls.querySelectorAll('button:not([data-do="reload"])')) control.setAttribute('disabled', '')
    timeline.note('bad', 'over', { reason })
  })
  showStatus(chip, room.status)
  showControls(controls, network)

  function close () { room.close() }

  return device
}

/** Notes the joins of a device in its timeline. */
class Joins {
  /** Range of the events that the last join replayed. */
  #replay = { epoch: '', after: 0, until: 0 }
  #hasJoined = false
  /** Time at which the connection was lost, ms since the epoch. */
  lostAt = 0
  #timeline

  /** @param {Timeline} timeline */
  constructor (timeline) { this.#timeline = timeline }

  /** @param {any} reply @param {{ hasJoined: boolean }} line */
  joined ({ epoch, seq, replayed = 0 }, line) {
    this.#replay = { epoch, after: seq - replayed, until: seq }
    if (line.hasJoined) return
    line.hasJoined = true
    const away = (Date.now() - this.lostAt) / 1000
    if (this.#hasJoined) this.#timeline.note('good', replayed ? 'backCaughtUp' : 'backNothing', { away, count: replayed })
    else this.#timeline.note('good', replayed ? 'joinedCaughtUp' : 'joined', { count: replayed })
    this.#hasJoined = true
  }

  /** @param {{ epoch: string, seq: number }} event */
  hasReplayed ({ epoch, seq }) {
    const { epoch: joined, after, until } = this.#replay
    return epoch === joined && seq > after && seq <= until
  }
}

/**
 * Shows the buttons that cut the connection.
 * @param {HTMLElement} controls
 * @param {Network} network
 */
function showControls (controls, network) {
  const offline = button(['goOffline'], () => {
    network.setOffline(!network.isOffline)
    offline.setAttribute('aria-pressed', String(network.isOffline))
    say(offline, network.isOffline ? 'goOnline' : 'goOffline')
  }, { 'aria-pressed': 'false', 'data-do': 'offline' })
  controls.replaceChildren(
    button(['drop'], () => network.drop(), { 'data-do': 'drop' }),
    offline,
    button(['reload'], () => location.reload(), { 'data-do': 'reload' }))
}
