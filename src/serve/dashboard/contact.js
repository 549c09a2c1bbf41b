// Listens to the server's events, and shows the one state of the connection: from this page to the server, and from there to Nomad.

import { byId, duration, visible } from './api.js';

const EVENTS = ['ready', 'reset', 'new', 'changed', 'gone', 'beat'];

/** An answer of Nomad counts for so long, and so does an event of the server, which sends one every 10 s. */
const RECENT_MS = 15_000;
/** Without an event for so long the connection is dead, though nobody said so. */
const SILENCE_MS = 25_000;
const REOPEN_MS = 5_000;
const SECOND_MS = 1_000;

const TROUBLES = {
  __proto__: null,
  unreachable: 'Nomad unreachable',
  no_leader: 'Nomad without a leader',
  denied: 'access to Nomad denied',
  unusable: 'no usable answer from Nomad',
};

const contact = {
  /** When the last event came, or when one was first waited for. */
  heardAt: performance.now(),
  isLost: false,
  /** What the last event said: { following, nomad }; `null` before the first. */
  said: null,
  /** How old the nodes were at `agedAt`; `null` if they are not cached. */
  age: null,
  agedAt: 0,
  /** The page shows a list. */
  hasList: false,
};

// ---- The state ---------------------------------------------------------------------------------

/** The list that the page shows is so old by now; `null` if it is not cached. */
export function setListAge(age) {
  contact.hasList = true;
  setAge(age);
}

function setAge(age) {
  contact.age = age;
  contact.agedAt = performance.now();
  showBadge();
}

/** An event has told the state. Returns whether Nomad answers. */
export function setSaid({ following, nomad, age_ms: age }) {
  contact.said = { following, nomad };
  setAge(age);
  const { tone } = stateOf(contact, performance.now(), Date.now());
  if (nomad.up === true && tone !== 'offline') settle(nomad.answered_ms);
  return nomad.up === true;
}

/** What the badge says, and how it is to be taken. */
export function stateOf({ heardAt, isLost, said, age, agedAt, hasList }, now, clock) {
  const silent = now - heardAt;
  if (isLost || silent > RECENT_MS) return { tone: 'offline', words: `no contact for ${duration(silent)}` };
  if (!said) return { tone: '', words: 'connecting…' };
  const listAge = age === null ? null : age + now - agedAt;
  const { up, answered_ms: answered, failing_ms: failing, trouble, why } = said.nomad;
  const quiet = up === true && answered + silent > RECENT_MS;
  if (up === false || quiet) {
    const since = timeOf(clock - silent - (quiet ? answered : failing));
    const list = hasList && listAge !== null ? `, showing the list of ${timeOf(clock - listAge)}` : '';
    return { tone: 'offline', words: `${TROUBLES[trouble] ?? TROUBLES.unreachable} since ${since}${list}`, why };
  }
  if (said.following && up === true) return { tone: 'live', words: 'live' };
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

// ---- Complaints --------------------------------------------------------------------------------

/** What the banner complains of: { lasting, at }. */
let complaint = null;

/** Shows an error with a button that tries again. Those that are not `lasting` go when Nomad answers again. */
export function complain(error, again, { lasting = false } = {}) {
  complaint = { lasting, at: performance.now() };
  byId('problem').hidden = false;
  byId('problem-text').textContent = visible(error.message);
  byId('retry').onclick = again;
}

/** Takes the banner away: after a success, or, of what does not last, when Nomad has answered since. */
export function settle(answeredAgo = null) {
  if (!complaint) return;
  const isSince = performance.now() - answeredAgo > complaint.at;
  if (answeredAgo !== null && (complaint.lasting || !isSince)) return;
  complaint = null;
  byId('problem').hidden = true;
  byId('problem-text').textContent = '';
}

// ---- Events ------------------------------------------------------------------------------------

/**
 * Calls `hear(name, data)` for every event and `lose()` when the connection breaks; comes back by itself. A page that
 * nobody sees has no connection: browsers have six for all their tabs together.
 */
export function listen(hear, lose) {
  let source = null;
  let openedAt = 0;
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    Object.assign(contact, { heardAt: performance.now(), isLost: false, said: null });
    reopen();
  };
  const reopen = () => {
    close();
    const mine = source = new EventSource('api/events');
    for (const name of EVENTS) {
      mine.addEventListener(name, (event) => {
        Object.assign(contact, { heardAt: performance.now(), isLost: false });
        hear(name, JSON.parse(event.data));
      });
    }
    mine.addEventListener('error', () => {
      if (mine !== source) return;
      lost();
      // After an answer that is no stream the browser does not try again.
      if (mine.readyState === EventSource.CLOSED) setTimeout(() => mine === source && reopen(), REOPEN_MS);
    });
  };
  const lost = () => {
    contact.isLost = true;
    showBadge();
    lose();
  };
  const isSeen = () => document.visibilityState === 'visible';
  const turn = () => (isSeen() ? source ?? open() : close());
  document.addEventListener('visibilitychange', turn);
  addEventListener('pagehide', close);
  addEventListener('pageshow', turn);
  turn();
  setInterval(() => {
    const now = performance.now();
    if (!source || now - Math.max(contact.heardAt, openedAt) < SILENCE_MS) return;
    openedAt = now;
    lost();
    reopen();
  }, REOPEN_MS);
  setInterval(showBadge, SECOND_MS);
}
