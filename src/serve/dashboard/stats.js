// The panel of the cache, and the buttons to refresh and clear it.

import { ask, byId, bytes, duration, element, number, visible } from './api.js';
import { showError, clearError } from './contact.js';

const EVERY_MS = 5_000;
const MINUTE_MS = 60_000;
const MINUTES = 60;
const SVG = 'http://www.w3.org/2000/svg';
/** In units of the SVG; the style sheet sets its size on the screen. */
const BAR = 10;
const HEIGHT = 100;

// ---- The buttons -------------------------------------------------------------------------------

/** `refresh` refreshes the nodes and returns a summary; `loadStats` is called after both actions. */
export function watchButtons(refresh, loadStats) {
  const run = (words, action, lasting) => act(words, action, lasting, loadStats);
  const dialog = byId('clear-dialog');
  byId('refresh').addEventListener('click', () => run('Refreshing…', refresh, false));
  byId('clear').addEventListener('click', () => {
    dialog.returnValue = '';
    dialog.showModal();
  });
  dialog.addEventListener('close', () => dialog.returnValue === 'clear' && run('Clearing…', clearCache, true));
}

/** Runs one of the two actions; meanwhile neither can be started. The error of a failed clear stays until it succeeds. */
async function act(words, action, lasting, loadStats) {
  const buttons = [byId('refresh'), byId('clear')];
  const focused = document.activeElement;
  for (const button of buttons) button.disabled = true;
  byId('message').textContent = words;
  try {
    byId('message').textContent = await action();
    clearError();
  } catch (error) {
    byId('message').textContent = '';
    showError(error, () => act(words, action, lasting, loadStats), { lasting });
  } finally {
    for (const button of buttons) button.disabled = false;
    if (document.activeElement === document.body) focused?.focus();
    loadStats();
  }
}

async function clearCache() {
  const { body } = await ask('api/cache/clear', 'POST');
  return body.cleared.length ? `Cleared ${body.cleared.map(visible).join(', ')}` : 'The cache was already empty';
}

// ---- The panel ---------------------------------------------------------------------------------

/** Loads the statistics now and every 5 s while the page is visible; returns a function that loads them at once. */
export function watchStats() {
  let asked = 0;
  const load = async () => {
    const mine = asked += 1;
    try {
      const { body } = await ask('api/cache/stats');
      if (mine !== asked) return;
      show(body);
    } catch (error) {
      if (mine === asked) byId('cache-summary').textContent = visible(error.message);
    }
  };
  const isSeen = () => document.visibilityState === 'visible';
  setInterval(() => isSeen() && load(), EVERY_MS);
  document.addEventListener('visibilitychange', () => isSeen() && load());
  load();
  return load;
}

function show(stats) {
  const hour = stats.last_hour;
  const rate = hour.hit_rate === null ? null : Math.round(hour.hit_rate * 1000) / 10;
  const state = stateOf(stats);
  text('cache-summary', [
    state,
    rate === null ? 'no requests in the last hour' : `${rate} % from cache`,
    `${number(hour.nomad_calls_saved)} Nomad calls saved`,
  ].join(' · '));
  showCluster(stats.cluster);
  text('cache-state', stats.nodes === null ? state : `${state}, ${number(stats.nodes)} nodes`);
  text('cache-place', visible(stats.cache.where || stats.cache.kind));
  meter('hit', rate, rate === null ? 'no requests' : `${rate} % (${number(hour.hits)} of ${number(hour.hits + hour.misses)})`);
  showMemory(stats.memory);
  const times = [[hour.cached_ms_mean, 'cached'], [hour.uncached_ms_mean, 'from Nomad']].filter(([ms]) => ms !== null);
  text('cache-times', times.map(([ms, of]) => `${time(ms)} ${of}`).join(', ') || 'no data yet');
  text('cache-calls', `${number(hour.nomad_calls)} made, ${number(hour.nomad_calls_saved)} saved`);
  byId('minutes').replaceChildren(sparkline(minutesOf(hour.per_minute)));
  showKeys(stats.keys);
  byId('cache-body').hidden = false;
}

function showCluster({ address, region }) {
  text('cluster', visible(region ? `${address} (${region})` : address));
  byId('cluster').title = byId('cluster').textContent;
}

function stateOf({ state, age_ms: age, fresh_for_ms: fresh }) {
  const parts = [visible(state)];
  if (age !== null) parts.push(`${duration(age)} old`);
  if (fresh) parts.push(`fresh for ${duration(fresh)}`);
  return parts.join(', ');
}

function showMemory(memory) {
  if (!memory) return meter('memory', null, 'unknown');
  const used = bytes(memory.used_bytes);
  const policy = memory.policy ? `, ${visible(memory.policy)}` : '';
  if (!memory.max_bytes) return meter('memory', null, `${used}, no limit${policy}`);
  const share = Math.min(100, Math.round((memory.used_bytes / memory.max_bytes) * 1000) / 10);
  return meter('memory', share, `${used} of ${bytes(memory.max_bytes)}${policy}`);
}

/** A bar and its text; without a share only the text. */
function meter(name, share, words) {
  const bar = byId(`${name}-meter`);
  bar.hidden = share === null;
  bar.ariaValueNow = share;
  bar.ariaValueText = words;
  bar.firstElementChild.style.width = `${share ?? 0}%`;
  text(`${name}-text`, words);
}

function showKeys(keys) {
  text('keys-summary', `Keys (${number(keys.length)}, ${bytes(keys.reduce((sum, key) => sum + (key.bytes ?? 0), 0))})`);
  byId('keys').replaceChildren(...keys.map((key) => element('tr', '',
    element('td', 'code', visible(key.key)),
    element('td', '', visible(key.type)),
    element('td', 'number', key.bytes == null ? '-' : bytes(key.bytes)),
    element('td', 'number', key.ttl_ms == null || key.ttl_ms < 0 ? 'no expiry' : duration(key.ttl_ms)))));
}

/** The last 60 minutes without gaps; the server omits minutes without requests. */
function minutesOf(perMinute) {
  const known = new Map(perMinute.map((minute) => [Date.parse(minute.minute), minute]));
  const newest = Math.max(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS, ...known.keys());
  return Array.from({ length: MINUTES }, (_, at) => {
    const start = newest - (MINUTES - 1 - at) * MINUTE_MS;
    const { hits = 0, misses = 0 } = known.get(start) ?? {};
    return { start, hits, misses };
  });
}

/** A bar for each minute: requests answered from the cache, and above them those answered from Nomad. */
function sparkline(minutes) {
  const busiest = minutes.reduce((a, b) => (b.hits + b.misses > a.hits + a.misses ? b : a));
  const most = busiest.hits + busiest.misses;
  const sum = (of) => number(minutes.reduce((total, minute) => total + minute[of], 0));
  const at = new Date(busiest.start).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  const peak = most ? `peak ${number(most)} at ${at}` : 'none';
  text('minutes-most', `(${peak})`);

  const svg = drawing('svg', { viewBox: `0 0 ${MINUTES * BAR} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', class: 'spark' });
  const title = drawing('title', {});
  title.textContent = `Requests per minute over the last 60 minutes: ${sum('hits')} from the cache, ${sum('misses')} from Nomad; ${peak}.`;
  svg.append(title, drawing('line', { x1: 0, x2: MINUTES * BAR, y1: HEIGHT, y2: HEIGHT, class: 'ground' }));
  minutes.forEach(({ hits, misses }, index) => {
    const [low, high] = [hits, misses].map((count) => (most ? (count / most) * HEIGHT : 0));
    const bar = (top, height, name) => {
      if (height) svg.append(drawing('rect', { x: index * BAR + 1, y: top, width: BAR - 2, height, class: name }));
    };
    bar(HEIGHT - low, low, 'from-cache');
    bar(HEIGHT - low - high, high, 'from-nomad');
  });
  return svg;
}

function drawing(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function time(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${number(Math.round(ms))} ms`;
}

/** Writes only changes: a screen reader does not read the rest again. */
function text(id, words) {
  const place = byId(id);
  if (place.textContent !== words) place.textContent = words;
}
