// The nodes and the view of them; keeps the page, its address and the server in sync.

import { ask, byId, choice, element, isSecret, joinList, number, splitList, visible } from './api.js';
import { showError, listen, setListAge, setStatus, clearError } from './contact.js';
import { Detail } from './detail.js';
import { watchButtons, watchStats } from './stats.js';
import { columnOf, compareKeys, sortKeyOf, Table, DEFAULT_COLUMNS, watchChooser } from './table.js';

/** How long a changed row is marked. */
const MARK_MS = 3_000;
/** How long to wait for the first event before the nodes are loaded without it. */
const EVENTS_TIMEOUT_MS = 2_000;
const NONE = '(none)';

const FACETS = [
  { name: 'status', label: 'Status', of: (record) => record.status },
  { name: 'datacenter', label: 'Datacenter', of: (record) => record.datacenter },
  { name: 'pool', label: 'Pool', of: (record) => record.node_pool },
  { name: 'class', label: 'Class', of: (record) => record.node_class },
  { name: 'eligibility', label: 'Eligibility', of: (record) => record.eligibility },
  { name: 'drain', label: 'Drain', of: (record) => String(record.drain), say: { true: 'draining', false: 'not draining' } },
];

/** id → { id, record, search, facets, key, mark, until, version } */
const nodes = new Map();
/** The same nodes in sort order. */
let sorted = [];
const wanted = fromAddress();

// ---- The address of the page -------------------------------------------------------------------

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const columns = splitList(query.get('columns') ?? '').map(columnOf).filter(Boolean);
  const sort = query.get('sort') ?? '';
  const unique = columns.filter((column, at) => columns.findIndex(({ name }) => name === column.name) === at);
  return {
    q: query.get('q') ?? '',
    filters: Object.fromEntries(FACETS.map(({ name }) => [name, new Set(query.getAll(name).flatMap(splitList))])),
    sort: { column: columnOf(sort.replace(/^-/, '')) ?? columnOf('name'), descending: sort.startsWith('-') },
    columns: unique.length ? unique : DEFAULT_COLUMNS.map(columnOf),
    node: query.get('node') || null,
  };
}

function toAddress() {
  const { q, filters, sort, columns, node } = wanted;
  const names = columns.map(({ name }) => name);
  const order = `${sort.descending ? '-' : ''}${sort.column.name}`;
  const pairs = [
    ['q', q],
    ...FACETS.map(({ name }) => [name, joinList(filters[name])]),
    ['sort', order === 'name' ? '' : order],
    ['columns', joinList(names) === joinList(DEFAULT_COLUMNS) ? '' : joinList(names)],
    ['node', node ?? ''],
  ];
  const query = pairs.filter(([, value]) => value)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%2C', ',')}`)
    .join('&');
  history.replaceState(null, '', query ? `?${query}` : location.pathname);
}

// ---- Nodes -------------------------------------------------------------------------------------

function makeNode(record) {
  const meta = Object.entries(record.meta ?? {}).filter(([key]) => !isSecret(key)).map(([, value]) => value);
  const { id, name, address, datacenter, node_pool: pool, node_class: nodeClass } = record;
  const texts = [id, name, address, datacenter, pool, nodeClass, ...meta];
  return {
    id,
    record,
    // Separated by line breaks, so that no match spans two of them.
    search: texts.filter(Boolean).map(visible).join('\n').toLowerCase(),
    facets: FACETS.map(({ of }) => of(record) || NONE),
    key: sortKeyOf(record, wanted.sort.column),
    mark: null,
    until: 0,
    version: 0,
  };
}

/** Adds or updates a node; `what` (new, changed or gone) marks its row. */
function upsert(record, what) {
  const known = nodes.get(record.id);
  if (what === 'gone' ? !known : known && known.mark !== 'gone' && isSame(known.record, record)) return;
  const node = makeNode(record);
  node.version = (known?.version ?? 0) + 1;
  nodes.set(node.id, node);
  if (!what) return;
  node.mark = what;
  node.until = performance.now() + MARK_MS;
  setTimeout(schedule, MARK_MS + 20);
  if (node.id === wanted.node) detail.follow(what);
}

function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Replaces the list; differences are marked. */
function replace(records) {
  const isFirst = !hasList;
  hasList = true;
  const left = new Set(nodes.keys());
  for (const record of records) {
    const what = left.delete(record.id) ? 'changed' : 'new';
    upsert(record, isFirst ? null : what);
  }
  for (const id of left) if (nodes.get(id).mark !== 'gone') upsert(nodes.get(id).record, 'gone');
  resort();
  table.fit(records, true);
  schedule();
}

function resort() {
  for (const node of nodes.values()) node.key = sortKeyOf(node.record, wanted.sort.column);
  sorted = [...nodes.values()];
}

/** Removes old marks, and the nodes that are gone. */
function expire() {
  const now = performance.now();
  for (const node of nodes.values()) {
    if (!node.mark || node.until > now) continue;
    if (node.mark === 'gone') nodes.delete(node.id);
    node.mark = null;
    node.version += 1;
  }
}

// ---- Rendering ---------------------------------------------------------------------------------

/** Events to be applied: id → [record, what]; only the last one for a node counts. */
const queue = new Map();
let frame = 0;
let hasList = false;
let isLoading = false;
/** The node in the address of the page: scrolled to as soon as its row exists. */
let toReveal = wanted.node;

function schedule() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    update();
  });
}

function applyQueue() {
  if (isLoading || !hasList || !queue.size) return;
  for (const [record, what] of queue.values()) upsert(record, what);
  table.fit([...queue.values()].map(([record]) => record), false);
  queue.clear();
}

function update() {
  applyQueue();
  expire();
  // A nearly sorted array is sorted fast: nodes keep their places, new ones are appended.
  const present = new Set(nodes.keys());
  sorted = sorted.filter(({ id }) => present.delete(id)).map(({ id }) => nodes.get(id));
  for (const id of present) sorted.push(nodes.get(id));
  const { descending } = wanted.sort;
  sorted.sort((a, b) => compareKeys(a.key, b.key, descending) || (a.id < b.id ? -1 : 1));

  const words = visible(wanted.q).toLowerCase().split(/\s+/).filter(Boolean);
  const counts = FACETS.map(() => new Map());
  const isOpen = FACETS.map(({ name }) => wanted.filters[name].size === 0);
  const found = sorted.filter((node) => {
    const fits = words.every((word) => node.search.includes(word));
    const misfits = node.facets.flatMap((value, at) => (isOpen[at] || wanted.filters[FACETS[at].name].has(value) ? [] : at));
    countFacets(counts, node, fits, misfits);
    return fits && misfits.length === 0;
  });
  table.show(found);
  if (hasList && toReveal) {
    table.reveal(toReveal);
    toReveal = null;
  }
  showFacets(counts);
  showCount(found);
}

/** The counts of a filter are those without it: nodes that match everything else. */
function countFacets(counts, node, fits, misfits) {
  if (node.mark === 'gone') return;
  node.facets.forEach((value, at) => {
    const count = fits && misfits.every((other) => other === at) ? 1 : 0;
    counts[at].set(value, (counts[at].get(value) ?? 0) + count);
  });
}

function showCount(found) {
  const isThere = (node) => node.mark !== 'gone';
  const all = sorted.filter(isThere).length;
  const shown = found.filter(isThere).length;
  const text = hasList ? `${number(shown)} of ${number(all)} ${all === 1 ? 'node' : 'nodes'}` : '';
  if (byId('count').textContent !== text) byId('count').textContent = text;
  const nothing = byId('nothing');
  nothing.hidden = found.length > 0;
  nothing.classList.toggle('loading', !hasList && isLoading);
  nothing.textContent = !hasList ? (isLoading ? 'Loading…' : 'No data') : all ? 'No node fits the search and the filters' : 'No clients';
  byId('table').ariaBusy = isLoading;
  byId('unfilter').hidden = !wanted.q && FACETS.every(({ name }) => wanted.filters[name].size === 0);
}

// ---- Loading and refreshing --------------------------------------------------------------------

let loads = 0;

async function load() {
  const mine = loads += 1;
  isLoading = true;
  // The list that is requested now includes earlier events.
  if (!hasList) queue.clear();
  schedule();
  try {
    const { body, headers } = await ask('api/clients');
    if (mine !== loads) return;
    clearError(0);
    setListAge(headers.has('Age') ? Number(headers.get('Age')) * 1000 : null);
    replace(body);
  } catch (error) {
    if (mine === loads) showError(error, load);
  } finally {
    if (mine === loads) {
      isLoading = false;
      schedule();
    }
  }
}

async function refresh() {
  const { body } = await ask('api/discover/clients?refresh=true');
  const { clients, stats } = body.output;
  setListAge(0);
  replace(clients);
  const gone = stats.gone ? `, ${number(stats.gone)} gone` : '';
  return `${number(stats.new)} new, ${number(stats.changed)} changed, ${number(stats.cached)} cached${gone}`;
}

// ---- Events ------------------------------------------------------------------------------------

function onEvent(name, data) {
  if (['new', 'changed', 'gone'].includes(name)) {
    queue.delete(data.id);
    queue.set(data.id, [data, name]);
    schedule();
    return;
  }
  if (setStatus(data)) detail.retry();
  if (name !== 'beat' || (!hasList && !isLoading)) load();
}

function onLost() {
  if (!hasList && !isLoading) load();
}

// ---- Search and filters ------------------------------------------------------------------------

const menus = new Map();

function makeFacet({ name, label, say }) {
  const summary = element('summary', '', label);
  const list = element('div', 'choices');
  list.setAttribute('role', 'group');
  list.ariaLabel = label;
  const menu = element('details', 'menu', summary, element('div', 'menu-body', list));
  menu.dataset.testid = `filter-${name}`;
  list.addEventListener('change', ({ target }) => {
    wanted.filters[name][target.checked ? 'add' : 'delete'](target.value);
    changed();
  });
  menus.set(name, { menu, summary, list, label, say, values: null });
  byId('filters').append(menu);
}

function showFacets(counts) {
  FACETS.forEach(({ name }, at) => {
    const facet = menus.get(name);
    const chosen = wanted.filters[name];
    // A selected value can be deselected even if no node has it any more.
    for (const value of chosen) if (!counts[at].has(value)) counts[at].set(value, 0);
    const values = [...counts[at].keys()].sort((a, b) => compareKeys(a, b, false));
    if (facet.values?.join('\0') !== values.join('\0')) {
      facet.values = values;
      facet.list.replaceChildren(...values.map((value) => choice(value, visible(facet.say?.[value] ?? value))));
    }
    for (const [index, label] of [...facet.list.children].entries()) {
      label.firstChild.checked = chosen.has(values[index]);
      label.lastChild.textContent = number(counts[at].get(values[index]));
    }
    const picked = [...chosen].map((value) => visible(facet.say?.[value] ?? value)).join(', ');
    facet.summary.textContent = picked ? `${facet.label}: ${picked}` : facet.label;
    facet.menu.classList.toggle('chosen', chosen.size > 0);
  });
}

/** The user has changed the view. */
function changed() {
  toAddress();
  schedule();
}

// ---- Columns and order -------------------------------------------------------------------------

function setColumns(columns) {
  wanted.columns = columns;
  table.setColumns(wanted.columns, wanted.sort);
  table.fit([...nodes.values()].map(({ record }) => record), true);
  changed();
}

function sortBy(column) {
  const isSame = column.name === wanted.sort.column.name;
  wanted.sort = { column, descending: isSame && !wanted.sort.descending };
  resort();
  table.setColumns(wanted.columns, wanted.sort);
  changed();
}

// ---- Details -----------------------------------------------------------------------------------

function openDetail(id) {
  if (!id) return;
  wanted.node = id;
  table.select(id);
  detail.open(id, nodes.get(id)?.record, true);
  toAddress();
}

function closeDetail() {
  wanted.node = null;
  detail.close();
  table.select(null);
  table.focus();
  toAddress();
}

// ---- Keys --------------------------------------------------------------------------------------

function onKey(event) {
  const { target, key } = event;
  if (document.querySelector('dialog[open]')) return;
  if (key === 'Escape') escape(target);
  const isTyping = target.matches('input:not([type=checkbox]), textarea, select');
  if (key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId('search').select();
  }
}

/** Closes an open menu, else clears the focused search, else closes the details. */
function escape(target) {
  const menu = document.querySelector('.menu[open]');
  if (menu) {
    if (menu.contains(target)) menu.firstElementChild.focus();
    menu.open = false;
  } else if (target === byId('search') && target.value) search('');
  else if (wanted.node) closeDetail();
}

function search(text) {
  byId('search').value = text;
  wanted.q = text;
  changed();
}

// ---- Start -------------------------------------------------------------------------------------

const table = new Table(
  { scroller: byId('scroller'), grid: byId('table'), head: byId('head'), rows: byId('rows') },
  { open: openDetail, sort: sortBy },
);
const detail = new Detail(closeDetail);
watchChooser(wanted.columns, setColumns);

byId('search').value = wanted.q;
byId('search').addEventListener('input', ({ target }) => search(target.value));
byId('unfilter').addEventListener('click', () => {
  for (const chosen of Object.values(wanted.filters)) chosen.clear();
  search('');
  byId('search').focus();
});
FACETS.forEach(makeFacet);

document.addEventListener('keydown', onKey);
document.addEventListener('click', ({ target }) => {
  for (const menu of document.querySelectorAll('.menu[open]')) if (!menu.contains(target)) menu.open = false;
});

table.setColumns(wanted.columns, wanted.sort);
if (wanted.node) {
  table.select(wanted.node);
  detail.open(wanted.node, undefined, false);
}
byId('cache').open = matchMedia('(min-width: 60rem) and (min-height: 45rem)').matches;
watchButtons(refresh, watchStats());
listen(onEvent, onLost);
setTimeout(() => !hasList && !isLoading && load(), EVENTS_TIMEOUT_MS);
