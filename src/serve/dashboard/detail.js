// Shows all that is known of one node: the detail panel.

import { ask, byId, drainOf, element, isSecret, number, shown, toneOf, visible } from './api.js';

const FACTS = [
  ['id', 'ID'], ['status', 'Status'], ['status_description', 'Status description'], ['eligibility', 'Eligibility'],
  ['drain', 'Drain'], ['datacenter', 'Datacenter'], ['node_pool', 'Pool'], ['node_class', 'Class'],
  ['address', 'Address'], ['version', 'Nomad'], ['os', 'System'], ['arch', 'Architecture'],
  ['create_index', 'Create index'], ['modify_index', 'Modify index'],
];
const NOT_LOADED = 'not loaded';
const NOT_KNOWN = 'not known';
const AMOUNTS = [['cpu_mhz', 'CPU', 'MHz'], ['cpu_cores', 'Cores', ''], ['memory_mb', 'Memory', 'MB'], ['disk_mb', 'Disk', 'MB']];

export class Detail {
  #panel = byId('detail');
  #filter = byId('detail-filter');
  #node = null;
  #asked = 0;
  /** Why the details are not there: still asked for, or asked for in vain. */
  #lack = '';

  /** `onClose` is called when the user closes the panel. */
  constructor(onClose) {
    byId('detail-close').addEventListener('click', onClose);
    this.#filter.addEventListener('input', () => this.#showAttributes());
  }

  /** Opens the panel for a node; `record` is what the list knows of it, if it does. */
  open(id, record, takeFocus) {
    this.#filter.value = '';
    this.#node = { ...record, id };
    this.#lack = 'Loading…';
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

  /** The node has changed, or is gone: then what was known of it stays. */
  follow(what) {
    if (what !== 'gone') return this.load();
    this.#asked += 1;
    return this.#note('This node is gone.');
  }

  /** Nomad answers: what could not be loaded is asked for again. */
  again() {
    if (this.#node && this.#lack === NOT_LOADED) this.load('Loading…');
  }

  /** Asks for the node, again if it has changed. */
  async load(words = '') {
    const { id } = this.#node;
    const mine = this.#asked += 1;
    this.#note(words);
    try {
      const { body } = await ask(`api/clients/${encodeURIComponent(id)}`);
      if (mine !== this.#asked) return;
      this.#node = body;
      this.#lack = NOT_KNOWN;
      this.#note('');
      this.#show();
    } catch (error) {
      if (mine !== this.#asked) return;
      // What was loaded before is still there.
      if (this.#lack !== NOT_KNOWN) this.#lack = NOT_LOADED;
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
    fill('detail-facts', facts.map(([key, label]) => [label, key === 'drain' ? drainOf(node) : shown(key, node[key]), key]));
    fill('detail-drivers', entries(node.drivers, 'driver'), this.#without('drivers'));
    fill('detail-meta', entries(node.meta), this.#without('meta'));
    byId('detail-resources').replaceChildren(amounts(node), ...others(node, this.#without('reserved')));
    fill('detail-host', [...entries(node.host_volumes), ...entries(node.host_networks)], this.#without('host_volumes', 'host_networks'));
    const { meta, ...drain } = node.last_drain ?? {};
    // Of a node that was never drained Nomad says just that.
    const never = node.last_drain === null ? 'none' : this.#without('last_drain');
    fill('detail-drain', [...entries(drain), ...entries(meta).map(([key, value]) => [`meta.${key}`, value])], never);
    this.#showAttributes();
  }

  /** What is said of these keys when they hold nothing: what was not loaded is not `none`. */
  #without(...keys) {
    const values = keys.map((key) => this.#node[key]);
    if (values.includes(undefined)) return this.#lack;
    return values.includes(null) ? NOT_KNOWN : 'none';
  }

  #showAttributes() {
    const wanted = this.#filter.value.trim().toLowerCase();
    const all = entries(this.#node.attributes);
    const found = all.filter(([key, value]) => `${key}\n${value}`.toLowerCase().includes(wanted));
    fill('detail-attributes', found, all.length ? 'no match' : this.#without('attributes'));
  }
}

/** The pairs of a map in the order of their keys, fit to be shown; `kind` says how values are coloured. */
function entries(map, kind = '') {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [visible(key), describe(key, value), kind]);
}

/** `path /srv, read_only false` for what has parts of its own. */
function describe(key, value) {
  if (isSecret(key) || value === null || typeof value !== 'object' || Array.isArray(value)) return shown(key, value);
  return entries(value).filter(([, of]) => of !== '').map(([inner, of]) => `${inner} ${of}`).join(', ');
}

function fill(id, pairs, otherwise) {
  const lines = pairs.map(([label, value, kind]) => {
    const tone = toneOf(kind, value);
    return element('div', '', element('dt', '', label), element('dd', '', element('span', tone && `tone ${tone}`, value || '-')));
  });
  byId(id).replaceChildren(...(lines.length ? lines : [element('div', 'faint', otherwise)]));
}

/** What the node has in all, what it keeps for itself, and what is left for tasks, used or not. */
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

/** Devices, networks and reserved ports, or why they are not there. */
function others({ resources, reserved }, otherwise) {
  if (!reserved) return [element('p', 'faint', otherwise)];
  const lines = [
    ...(resources?.devices ?? []).map((device) => ['Device', describe('device', device)]),
    ...(resources?.networks ?? []).map((network) => ['Network', describe('network', network)]),
    ['Reserved ports', shown('ports', reserved?.ports)],
  ];
  return lines.filter(([, words]) => words).map(([label, words]) => element('p', 'other', `${label}: ${words}`));
}
