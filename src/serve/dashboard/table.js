// The table of nodes; only the visible rows are in the page.

import { byId, choice, drainOf, element, isSecret, number, formatted, toneOf, visible } from './api.js';

const KEYS = [
  'id', 'name', 'status', 'status_description', 'eligibility', 'drain', 'datacenter', 'node_pool',
  'node_class', 'address', 'version', 'os', 'arch', 'cpu_mhz', 'cpu_cores', 'memory_mb', 'disk_mb',
  'drivers', 'meta', 'last_drain', 'create_index', 'modify_index',
];
export const DEFAULT_COLUMNS = [
  'id', 'name', 'status', 'eligibility', 'drain', 'dc', 'pool', 'class', 'address', 'version',
];

const SHORT = { datacenter: 'dc', node_pool: 'pool', node_class: 'class' };
const LONG = Object.fromEntries(Object.entries(SHORT).map(([long, short]) => [short, long]));
/** Keys with nested values: `meta.rack`. */
const MAPS = ['meta', 'drivers', 'last_drain'];
const NUMBERS = ['cpu_mhz', 'cpu_cores', 'memory_mb', 'disk_mb', 'create_index', 'modify_index'];

/** Columns with a sign before the text, and its width in characters. */
const SIGNED = ['status', 'eligibility', 'drain', 'drivers'];
const SIGN = 3;

/** The height of a row in rem, as in the style sheet. */
const ROW_REM = 2.25;
/** The horizontal padding of a cell in rem, as in the style sheet. */
const PADDING_REM = 1.25;
/** Extra rows above and below the visible ones, so that fast scrolling shows no gap. */
const SPARE = 8;
/** The narrowest and the widest column, in characters. */
const NARROW = 4;
const WIDE = 36;

const collator = new Intl.Collator('en', { numeric: true });

/** The column of that name, or `null` if there is none. */
export function columnOf(name) {
  const dot = name.indexOf('.');
  const inner = dot < 0 ? undefined : name.slice(dot + 1);
  const first = dot < 0 ? name : name.slice(0, dot);
  const key = Object.hasOwn(LONG, first) ? LONG[first] : first;
  if (!KEYS.includes(key) || inner === '' || (inner !== undefined && !MAPS.includes(key))) return null;
  const short = SHORT[key] ?? key;
  return { key, inner, name: inner === undefined ? short : `${key}.${inner}` };
}

/** The text of a cell; empty if the value is unknown. */
function textOf(record, { key, inner }) {
  const value = record[key];
  if (key === 'drain') return drainOf(record);
  if (value === null || value === undefined) return '';
  if (inner !== undefined) return Object.hasOwn(value, inner) ? formatted(inner, value[inner]) : '';
  if (key === 'drivers') return Object.entries(value).map(([name, health]) => `${visible(name)} ${formatted(name, health)}`).join(', ');
  if (key === 'meta') return Object.entries(value).map(([name, of]) => `${visible(name)}=${formatted(name, of)}`).join(' ');
  if (key === 'last_drain') return visible([value.status, value.updated_at].filter(Boolean).join(' '));
  return visible(value);
}

/** The sort key of a node: a number, a version or a text; `null` if the value is unknown. */
export function sortKeyOf(record, column) {
  if (NUMBERS.includes(column.key)) return record[column.key] ?? null;
  const text = textOf(record, column);
  if (text === '') return null;
  return column.key === 'version' ? versionOf(text) : text;
}

/** Compares two sort keys; `null` comes last in both directions. */
export function compareKeys(a, b, descending) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === 'number' ? a - b : typeof a === 'string' ? collator.compare(a, b) : compareVersions(a, b);
  return descending ? -order : order;
}

function versionOf(text) {
  const [, core, pre] = /^v?([^-+]*)(?:-([^+]*))?/i.exec(text);
  return { numbers: core.split('.').map((part) => Number.parseInt(part, 10) || 0), pre };
}

/** A pre-release is before its release; missing numbers count as 0. */
function compareVersions(a, b) {
  for (let at = 0; at < Math.max(a.numbers.length, b.numbers.length); at += 1) {
    const order = (a.numbers[at] ?? 0) - (b.numbers[at] ?? 0);
    if (order) return order;
  }
  if (a.pre === undefined || b.pre === undefined) return (a.pre === undefined) - (b.pre === undefined);
  return collator.compare(a.pre, b.pre);
}

function headOf(column) {
  return isSecret(column.inner ?? '') ? `${column.name} (hidden)` : column.name;
}

/** Chinese, Japanese and Korean characters are about twice as wide as a digit. */
function widthOf(text) {
  let width = text.length;
  for (const character of text) if (character > '\u2e7f') width += 1;
  return width;
}

/** The column menu; `choose` is called with the selected columns. */
export function watchChooser(columns, choose) {
  const list = byId('chooser-list');
  const field = byId('chooser-meta');
  const show = () => {
    const named = columns.filter(({ inner }) => inner !== undefined);
    list.replaceChildren(...[...KEYS.map(columnOf), ...named].map(({ name }) => choice(name, visible(name))));
    for (const { firstChild: box } of list.children) box.checked = columns.some(({ name }) => name === box.value);
  };
  const set = (chosen) => {
    columns = chosen.length ? chosen : DEFAULT_COLUMNS.map(columnOf);
    choose(columns);
  };
  list.addEventListener('change', ({ target: { value, checked } }) => {
    set(checked ? withColumn(columns, columnOf(value)) : columns.filter(({ name }) => name !== value));
  });
  byId('chooser-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const key = field.value.trim().replace(/^meta\./, '');
    if (key) set(withColumn(columns, columnOf(`meta.${key}`)));
    field.value = '';
    show();
  });
  byId('chooser-default').addEventListener('click', () => {
    set([]);
    show();
  });
  show();
}

/** Inserts a column in the order of all keys; metadata comes last. */
function withColumn(columns, column) {
  if (columns.some(({ name }) => name === column.name)) return columns;
  const placeOf = ({ key, inner }) => (inner === undefined ? KEYS.indexOf(key) : KEYS.length);
  const at = columns.findIndex((other) => placeOf(other) > placeOf(column));
  return columns.toSpliced(at < 0 ? columns.length : at, 0, column);
}

export class Table {
  #parts;
  #handlers;
  #columns = [];
  #widths = new Map();
  #nodes = [];
  #rows = new Map();
  /** The rendered state of each row, so that unchanged rows are left alone. */
  #filled = new WeakMap();
  #renderCount = 0;
  #active = null;
  #selected = null;
  #frame = 0;
  #rowHeight;

  /** `parts` are elements: scroller, grid, head, rows; `handlers` are functions: open(id), sort(column). */
  constructor(parts, handlers) {
    this.#parts = parts;
    this.#handlers = handlers;
    this.#rowHeight = ROW_REM * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    parts.scroller.addEventListener('scroll', () => this.#later(), { passive: true });
    new ResizeObserver(() => this.#later()).observe(parts.scroller);
    parts.rows.addEventListener('click', (event) => this.#click(event));
    parts.grid.addEventListener('keydown', (event) => this.#key(event));
    parts.head.addEventListener('click', (event) => this.#sort(event));
  }

  /** Shows these columns; `sort` is { column, descending }. */
  setColumns(columns, sort) {
    const focused = document.activeElement?.dataset?.column;
    this.#columns = columns;
    this.#renderCount += 1;
    this.#parts.grid.ariaColCount = columns.length;
    this.#parts.head.replaceChildren(...columns.map((column, at) => {
      const cell = element('div', `cell${NUMBERS.includes(column.key) ? ' number' : ''}`, visible(headOf(column)));
      cell.setAttribute('role', 'columnheader');
      cell.ariaColIndex = at + 1;
      cell.tabIndex = 0;
      cell.dataset.column = column.name;
      cell.ariaSort = 'none';
      if (column.name === sort.column.name) cell.ariaSort = sort.descending ? 'descending' : 'ascending';
      return cell;
    }));
    for (const cell of this.#parts.head.children) if (cell.dataset.column === focused) cell.focus();
    this.#layOut();
  }

  /** Fits the column widths to these records; with `anew` earlier records do not count. */
  fit(records, anew) {
    if (anew) this.#widths.clear();
    for (const column of this.#columns) {
      const sign = SIGNED.includes(column.key) ? SIGN : 0;
      let width = this.#widths.get(column.name) ?? widthOf(headOf(column)) + 2;
      for (const record of records) {
        if (width >= WIDE) break;
        width = Math.max(width, column.name === 'id' ? 8 : widthOf(textOf(record, column)) + sign);
      }
      this.#widths.set(column.name, width);
    }
    this.#layOut();
  }

  #layOut() {
    const widths = this.#columns.map(({ name }) => Math.min(WIDE, Math.max(NARROW, this.#widths.get(name) ?? NARROW)));
    const tracks = widths.map((width) => `minmax(calc(${width}ch + ${PADDING_REM}rem), ${width}fr)`);
    const characters = widths.reduce((sum, width) => sum + width, 0);
    this.#parts.grid.style.setProperty('--columns', tracks.join(' '));
    this.#parts.grid.style.minWidth = `calc(${characters}ch + ${PADDING_REM * widths.length}rem)`;
  }

  /** Shows these nodes, in this order. */
  show(nodes) {
    this.#nodes = nodes;
    this.#parts.grid.ariaRowCount = nodes.length + 1;
    this.#parts.rows.style.height = `${nodes.length * this.#rowHeight}px`;
    this.#draw();
  }

  /** Marks the row whose details are open. */
  select(id) {
    this.#selected = id;
    if (id !== null) this.#active = id;
    this.#renderCount += 1;
    this.#draw();
  }

  /** Moves the focus to the row that had it last. */
  focus() {
    this.#move(this.#activeAt());
  }

  /** Scrolls to the row of a node. */
  reveal(id) {
    const at = this.#nodes.findIndex((node) => node.id === id);
    if (at >= 0) this.#scrollTo(at);
  }

  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #activeAt() {
    return Math.max(0, this.#nodes.findIndex((node) => node.id === this.#active));
  }

  /** Renders the visible rows. */
  #draw() {
    const { scroller, rows } = this.#parts;
    const first = Math.max(0, Math.floor(scroller.scrollTop / this.#rowHeight) - SPARE);
    const last = Math.min(this.#nodes.length, first + Math.ceil(scroller.clientHeight / this.#rowHeight) + 2 * SPARE);
    const active = this.#activeAt();
    const wanted = [];
    // The focusable row always stays in the page, or the focus would be lost.
    if (active < first && this.#nodes.length) wanted.push(active);
    for (let at = first; at < last; at += 1) wanted.push(at);
    if (active >= last && this.#nodes.length) wanted.push(active);

    const focused = rows.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    const ids = new Set(wanted.map((at) => this.#nodes[at].id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    let next = rows.firstChild;
    for (const at of wanted) {
      const row = this.#row(this.#nodes[at], at, at === active);
      if (row === next) next = next.nextSibling;
      else rows.insertBefore(row, next);
    }
    // A row that was moved or removed has lost the focus.
    if (focused && !rows.contains(document.activeElement)) rows.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  }

  #row(node, at, isActive) {
    let row = this.#rows.get(node.id);
    if (!row) {
      row = element('div', 'row');
      row.setAttribute('role', 'row');
      row.dataset.id = node.id;
      row.dataset.testid = 'row';
      this.#rows.set(node.id, row);
    }
    row.style.transform = `translateY(${at * this.#rowHeight}px)`;
    row.ariaRowIndex = at + 2;
    row.tabIndex = isActive ? 0 : -1;
    const state = `${this.#renderCount} ${node.version}`;
    if (this.#filled.get(row) !== state) {
      this.#fill(row, node);
      this.#filled.set(row, state);
    }
    return row;
  }

  #fill(row, node) {
    // A different class restarts the animation of a row that changes again.
    row.className = node.mark ? `row ${node.mark} ${node.version % 2 ? 'odd' : 'even'}` : 'row';
    row.ariaSelected = node.id === this.#selected;
    row.replaceChildren(...this.#columns.map((column, at) => {
      const text = textOf(node.record, column);
      const cell = element('div', 'cell');
      cell.setAttribute('role', 'gridcell');
      cell.ariaColIndex = at + 1;
      cell.dataset.column = column.name;
      const tone = column.inner === undefined ? toneOf(column.key, text) : column.key === 'drivers' ? toneOf('driver', text) : '';
      const span = element('span', tone && `tone ${tone}`, this.#brief(column, text, node.record));
      cell.append(span);
      if (NUMBERS.includes(column.key)) cell.classList.add('number');
      if (column.name === 'id' || text.length > 16) cell.title = text;
      if (at === 0 && node.mark) cell.append(element('span', 'unseen', ` (${node.mark})`));
      return cell;
    }));
  }

  #brief({ key, inner }, text, record) {
    if (text === '') return '-';
    if (key === 'id') return visible(record.id.slice(0, 8));
    return inner === undefined && ['memory_mb', 'disk_mb', 'cpu_mhz'].includes(key) ? number(record[key]) : text;
  }

  #click(event) {
    const row = event.target.closest('[data-id]');
    // Selecting text does not open the row.
    if (row && getSelection().isCollapsed) this.#open(row.dataset.id);
  }

  #open(id) {
    this.#active = id;
    this.#handlers.open(id);
  }

  #sort(event) {
    const cell = event.target.closest('[data-column]');
    if (cell) this.#handlers.sort(columnOf(cell.dataset.column));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isHead = this.#parts.head.contains(event.target);
    const isEnter = event.key === 'Enter' || event.key === ' ';
    if (isEnter && isHead) this.#sort(event);
    else if (isEnter) this.#open(event.target.closest('[data-id]')?.dataset.id);
    else {
      const to = isHead ? this.#fromHead(event) : this.#fromRow(event.key);
      if (to === null) return;
      this.#move(to);
    }
    event.preventDefault();
  }

  /** Left and right move between the heads, down moves to the rows. */
  #fromHead({ key, target }) {
    if (key === 'ArrowRight') target.nextElementSibling?.focus();
    if (key === 'ArrowLeft') target.previousElementSibling?.focus();
    return key === 'ArrowDown' ? this.#activeAt() : null;
  }

  #fromRow(key) {
    const at = this.#activeAt();
    const page = Math.max(1, Math.floor((this.#parts.scroller.clientHeight - this.#parts.head.offsetHeight) / this.#rowHeight) - 1);
    const to = {
      ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.#nodes.length - 1,
    }[key];
    return to === undefined ? null : Math.min(this.#nodes.length - 1, Math.max(0, to));
  }

  #move(at) {
    const node = this.#nodes[at];
    if (!node) return;
    this.#active = node.id;
    this.#scrollTo(at);
    this.#rows.get(node.id).focus({ preventScroll: true });
  }

  #scrollTo(at) {
    const { scroller, head } = this.#parts;
    const top = at * this.#rowHeight;
    const room = scroller.clientHeight - head.offsetHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + this.#rowHeight > scroller.scrollTop + room) scroller.scrollTop = top + this.#rowHeight - room;
    this.#draw();
  }
}
