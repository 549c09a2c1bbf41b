// Reads the server's events, and shows the state of the connection from this page through the server to Nomad.

import { byId, duration, visible } from './api.js';

const EVENTS = ['ready', 'reset', 'new', 'changed', 'gone', 'beat'];

/** How long an answer from Nomad proves that it is up, and an event that the server is; it sends one every 10 s. */
const RECENT_MS = 15_000;
/** Without an event for this long the connection is considered dead. */
const SILENCE_MS = 25_000;
const REOPEN_MS = 5_000;
const SECOND_MS = 1_000;

const TROUBLES = {
  __proto__: null,
  unreachable: 'Nomad unreachable',
  no_leader: 'Nomad without a leader',
  denied: 'access to Nomad denied',
  unusable: 'unusable responses from Nomad',
};

const contact = {
  /** When the last event arrived, or the connection was opened. */
  lastEventAt: performance.now(),
  isLost: false,
  /** From the last event: { following, nomad }; `null` before the first. */
  status: null,
  /** The age of the nodes at `agedAt`; `null` if they are not cached. */
  age: null,
  agedAt: 0,
  /** Whether the page shows a list. */
  hasList: false,
};

// ---- The state ---------------------------------------------------------------------------------

/** Sets the age of the list on the page; `null` if it is not cached. */
export function setListAge(age) {
  contact.hasList = true;
  setAge(age);
}

function setAge(age) {
  contact.age = age;
  contact.agedAt = performance.now();
  showBadge();
}

/** Takes in the state from an event. Returns whether Nomad answers. */
export function setStatus({ following, nomad, age_ms: age }) {
  contact.status = { following, nomad };
  setAge(age);
  const { tone } = stateOf(contact, performance.now(), Date.now());
  if (nomad.up === true && tone !== 'offline') clearError(nomad.answered_ms);
  return nomad.up === true;
}

/** The text of the badge, and its class in the style sheet. */
export function stateOf({ lastEventAt, isLost, status, age, agedAt, hasList }, now, clock) {
  const silent = now - lastEventAt;
  if (isLost || silent > RECENT_MS) return { tone: 'offline', words: `no contact for ${duration(silent)}` };
  if (!status) return { tone: '', words: 'connecting…' };
  const listAge = age === null ? null : age + now - agedAt;
  const { up, answered_ms: answered, failing_ms: failing, trouble, why } = status.nomad;
  const quiet = up === true && answered + silent > RECENT_MS;
  if (up === false || quiet) {
    const since = timeOf(clock - silent - (quiet ? answered : failing));
    const list = hasList && listAge !== null ? `, showing the list from ${timeOf(clock - listAge)}` : '';
    return { tone: 'offline', words: `${TROUBLES[trouble] ?? TROUBLES.unreachable} since ${since}${list}`, why };
  }
  if (status.following && up === true) return { tone: 'live', words: 'live' };
  return { tone: 'cached', words: listAge === null ? 'not cached' : `cached ${duration(listAge)} ago` };
}

function timeOf(ms) {
  return new Date(ms).toLocaleTimeString('en-GB');
}

function showBadge() {
  const now = performance.now();
  const { tone, words, why } = stateOf(contact, now, Date.now());
  const badge = byId('badge');
  if (badge.textContent !== words) badge.textContent = words;
  badge.className = `badge ${tone}`;
  const age = contact.age === null ? '' : `The list is ${duration(contact.age + now - contact.agedAt)} old.`;
  badge.title = why ? visible(why) : age;
}

// ---- Errors ------------------------------------------------------------------------------------

/** The error in the banner: { lasting, at }. */
let shownError = null;

/** Shows an error with a button to retry. Unless it is `lasting`, it disappears when Nomad answers again. */
export function showError(error, again, { lasting = false } = {}) {
  shownError = { lasting, at: performance.now() };
  byId('problem').hidden = false;
  byId('problem-text').textContent = visible(error.message);
  byId('retry').onclick = again;
}

/** Hides the banner: after a success, or, unless the error is lasting, when Nomad has answered since. */
export function clearError(answeredAgo = null) {
  if (!shownError) return;
  const isSince = performance.now() - answeredAgo > shownError.at;
  if (answeredAgo !== null && (shownError.lasting || !isSince)) return;
  shownError = null;
  byId('problem').hidden = true;
  byId('problem-text').textContent = '';
}

// ---- Events ------------------------------------------------------------------------------------

/**
 * Calls `onEvent(name, data)` for every event and `onLost()` when the connection breaks; reconnects by itself. A hidden page
 * has no connection: browsers allow six per server for all tabs together.
 */
export function listen(onEvent, onLost) {
  let source = null;
  let openedAt = 0;
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    Object.assign(contact, { lastEventAt: performance.now(), isLost: false, status: null });
    reopen();
  };
  const reopen = () => {
    close();
    const mine = source = new EventSource('api/events');
    for (const name of EVENTS) {
      mine.addEventListener(name, (event) => {
        Object.assign(contact, { lastEventAt: performance.now(), isLost: false });
        onEvent(name, JSON.parse(event.data));
      });
    }
    mine.addEventListener('error', () => {
      if (mine !== source) return;
      lost();
      // If the response is no stream, the browser does not reconnect.
      if (mine.readyState === EventSource.CLOSED) setTimeout(() => mine === source && reopen(), REOPEN_MS);
    });
  };
  const lost = () => {
    contact.isLost = true;
    showBadge();
    onLost();
  };
  const isSeen = () => document.visibilityState === 'visible';
  const turn = () => (isSeen() ? source ?? open() : close());
  document.addEventListener('visibilitychange', turn);
  addEventListener('pagehide', close);
  addEventListener('pageshow', turn);
  turn();
  setInterval(() => {
    const now = performance.now();
    if (!source || now - Math.max(contact.lastEventAt, openedAt) < SILENCE_MS) return;
    openedAt = now;
    lost();
    reopen();
  }, REOPEN_MS);
  setInterval(showBadge, SECOND_MS);
}
