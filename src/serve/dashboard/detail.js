// The panel with the details of one node.

import { ask, byId, drainOf, element, isSecret, number, formatted, toneOf, visible } from './api.js';

const FACTS = [
  ['id', 'ID'], ['status', 'Status'], ['status_description', 'Status description'], ['eligibility', 'Eligibility'],
  ['drain', 'Drain'], ['datacenter', 'Datacenter'], ['node_pool', 'Pool'], ['node_class', 'Class'],
  ['address', 'Address'], ['version', 'Nomad version'], ['os', 'Operating system'], ['arch', 'Architecture'],
  ['create_index', 'Create index'], ['modify_index', 'Modify index'],
];
const NOT_LOADED = 'not loaded';
const UNKNOWN = 'unknown';
const AMOUNTS = [['cpu_mhz', 'CPU', 'MHz'], ['cpu_cores', 'Cores', ''], ['memory_mb', 'Memory', 'MB'], ['disk_mb', 'Disk', 'MB']];

export class Detail {
  #panel = byId('detail');
  #filter = byId('detail-filter');
  #node = null;
  #asked = 0;
  /** Shown in place of details that are not there: they are being loaded, or loading failed. */
  #placeholder = '';

  /** `onClose` is called when the user closes the panel. */
  constructor(onClose) {
    byId('detail-close').addEventListener('click', onClose);
    this.#filter.addEventListener('input', () => this.#showAttributes());
  }

  /** Opens the panel for a node; `record` is its record in the list, if there is one. */
  open(id, record, takeFocus) {
    this.#filter.value = '';
    this.#node = { ...record, id };
    this.#placeholder = 'Loading…';
    this.#panel.hidden = false;
    this.#panel.scrollTop = 0;
    this.#show();
    if (takeFocus) byId('detail-name').focus({ preventScroll: true });
    this.load('Loading…');
  }

  close() {
    this.#asked += 1;
    this.#node = null;
    this.#panel.hidden = true;
  }

  /** The node has changed, or is gone: then its last state stays. */
  follow(what) {
    if (what !== 'gone') return this.load();
    this.#asked += 1;
    return this.#note('This node no longer exists.');
  }

  /** Nomad answers again: loads the details if that had failed. */
  retry() {
    if (this.#node && this.#placeholder === NOT_LOADED) this.load('Loading…');
  }

  /** Loads the details. */
  async load(words = '') {
    const { id } = this.#node;
    const mine = this.#asked += 1;
    this.#note(words);
    try {
      const { body } = await ask(`api/clients/${encodeURIComponent(id)}`);
      if (mine !== this.#asked) return;
      this.#node = body;
      this.#placeholder = UNKNOWN;
      this.#note('');
      this.#show();
    } catch (error) {
      if (mine !== this.#asked) return;
      // Details that were loaded before are still there.
      if (this.#placeholder !== UNKNOWN) this.#placeholder = NOT_LOADED;
      this.#note(visible(error.message));
      this.#show();
    }
  }

  #note(words) {
    byId('detail-note').textContent = words;
  }

  #show() {
    const node = this.#node;
    byId('detail-name').textContent = visible(node.name ?? node.id);
    const facts = FACTS.filter(([key]) => key in node);
    fill('detail-facts', facts.map(([key, label]) => [label, key === 'drain' ? drainOf(node) : formatted(key, node[key]), key]));
    fill('detail-drivers', entries(node.drivers, 'driver'), this.#textFor('drivers'));
    fill('detail-meta', entries(node.meta), this.#textFor('meta'));
    byId('detail-resources').replaceChildren(amounts(node), ...others(node, this.#textFor('reserved')));
    fill('detail-host', [...entries(node.host_volumes), ...entries(node.host_networks)], this.#textFor('host_volumes', 'host_networks'));
    const { meta, ...drain } = node.last_drain ?? {};
    // For a node that was never drained Nomad returns null.
    const never = node.last_drain === null ? 'none' : this.#textFor('last_drain');
    fill('detail-drain', [...entries(drain), ...entries(meta).map(([key, value]) => [`meta.${key}`, value])], never);
    this.#showAttributes();
  }

  /** The text for these keys if they are empty: if they were not loaded, it is not `none`. */
  #textFor(...keys) {
    const values = keys.map((key) => this.#node[key]);
    if (values.includes(undefined)) return this.#placeholder;
    return values.includes(null) ? UNKNOWN : 'none';
  }

  #showAttributes() {
    const wanted = this.#filter.value.trim().toLowerCase();
    const all = entries(this.#node.attributes);
    const found = all.filter(([key, value]) => `${key}\n${value}`.toLowerCase().includes(wanted));
    fill('detail-attributes', found, all.length ? 'no match' : this.#textFor('attributes'));
  }
}

/** The pairs of a map in the order of their keys, as text; `kind` selects the colour of values. */
function entries(map, kind = '') {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [visible(key), describe(key, value), kind]);
}

/** `path /srv, read_only false` for a nested object. */
function describe(key, value) {
  if (isSecret(key) || value === null || typeof value !== 'object' || Array.isArray(value)) return formatted(key, value);
  return entries(value).filter(([, of]) => of !== '').map(([inner, of]) => `${inner} ${of}`).join(', ');
}

function fill(id, pairs, otherwise) {
  const lines = pairs.map(([label, value, kind]) => {
    const tone = toneOf(kind, value);
    return element('div', '', element('dt', '', label), element('dd', '', element('span', tone && `tone ${tone}`, value || '-')));
  });
  byId(id).replaceChildren(...(lines.length ? lines : [element('div', 'faint', otherwise)]));
}

/** Total, reserved and allocatable resources. */
function amounts(node) {
  const all = node.resources ?? node;
  const cell = (tag, words, className = 'number') => element(tag, className, words);
  const heads = ['', 'Total', 'Reserved', 'Allocatable'].map((words) => cell('th', words));
  const rows = AMOUNTS.map(([key, label, unit]) => {
    const kept = node.reserved?.[key];
    const count = Array.isArray(kept) ? kept.length : kept;
    const say = (value) => (typeof value === 'number' ? `${number(value)} ${unit}`.trim() : '-');
    const left = typeof all[key] === 'number' && typeof count === 'number' ? all[key] - count : null;
    return element('tr', '', cell('th', label, ''), cell('td', say(all[key])), cell('td', say(count)), cell('td', say(left)));
  });
  const head = element('thead', '', element('tr', '', ...heads));
  return element('table', '', head, element('tbody', '', ...rows));
}

/** Devices, networks and reserved ports, or the placeholder. */
function others({ resources, reserved }, otherwise) {
  if (!reserved) return [element('p', 'faint', otherwise)];
  const lines = [
    ...(resources?.devices ?? []).map((device) => ['Device', describe('device', device)]),
    ...(resources?.networks ?? []).map((network) => ['Network', describe('network', network)]),
    ['Reserved ports', formatted('ports', reserved?.ports)],
  ];
  return lines.filter(([, words]) => words).map(([label, words]) => element('p', 'other', `${label}: ${words}`));
}
