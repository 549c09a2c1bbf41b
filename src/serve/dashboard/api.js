// Requests to the server, and safe formatting of its responses.

const HARMFUL =
  /[\p{Cc}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e007f}]/gu;
const SECRET = /token|secret|password/i;

const numbers = new Intl.NumberFormat('en');

/**
 * Returns JSON and headers, or throws an error with the server's message; without authentication the browser goes to the login
 * page. `path` is relative, like every address of the page, which may be below a path of a reverse proxy.
 */
export async function ask(path, method = 'GET') {
  const response = await fetch(path, { method, cache: 'no-cache', headers: { Accept: 'application/json' } })
    .catch(() => { throw new Error('The server does not respond.'); });
  if (response.status === 401) {
    location.href = 'login';
    // The page is being left: no error may be shown any more.
    return new Promise(() => {});
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null || body.success === false) {
    const error = body?.error ?? `The server responded with ${response.status}.`;
    throw new Error([error, body?.hint].filter(Boolean).join(' – '));
  }
  return { body, headers: response.headers };
}

/** `text` with characters that hide or reverse text made visible. */
export function visible(text) {
  return String(text).replace(HARMFUL, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** Whether the value of `key` must be hidden. */
export function isSecret(key) {
  return SECRET.test(key);
}

/** The value of `key` as text for the page. */
export function formatted(key, value) {
  if (isSecret(key)) return '***';
  if (value === null || value === undefined) return '';
  return visible(typeof value === 'object' ? JSON.stringify(value, (inner, of) => (isSecret(inner) ? '***' : of)) : value);
}

/** `draining`, `drained` (done and still closed for new work) or `-`. */
export function drainOf(record) {
  if (record.drain) return 'draining';
  const done = record.eligibility === 'ineligible' && record.last_drain?.status === 'complete';
  return done ? 'drained' : '-';
}

/** The class of a status, an eligibility or a drain in the style sheet. */
export function toneOf(key, text) {
  if (key === 'status') return { __proto__: null, ready: 'good', down: 'bad' }[text] ?? 'attention';
  if (key === 'eligibility') return text === 'ineligible' ? 'attention' : '';
  if (key === 'drain') return text === '-' ? '' : 'attention';
  if (key === 'driver') return { __proto__: null, healthy: 'good', unhealthy: 'bad' }[text] ?? '';
  return '';
}

export function number(value) {
  return numbers.format(value);
}

/** `1.5 MiB` */
export function bytes(count) {
  let power = 0;
  // A value that rounds to 1024 is 1.0 of the next unit.
  while (count >= 1023.5 && power < 4) {
    count /= 1024;
    power += 1;
  }
  const digits = power > 0 && count < 10 ? 1 : 0;
  return `${count.toFixed(digits)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}

/** `12s`, `2m 5s`, `3h 10m`, `2d 4h` */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return '0s';
  return parts.slice(first, first + 2)
    .map(([size, unit], at) => [Math.floor((at ? seconds % parts[first][0] : seconds) / size), unit])
    .filter(([count], at) => at === 0 || count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}

/** A new element with class and children; strings become text, never markup. */
export function element(tag, className = '', ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/** A checkbox, its label, and room for a number. */
export function choice(value, words) {
  const box = element('input');
  box.type = 'checkbox';
  box.value = value;
  return element('label', 'choice', box, element('span', 'words', words), element('span', 'faint'));
}

/** The values of a list in the address of the page; commas within them are `%2C`. */
export function splitList(text) {
  return text.split(',').filter(Boolean).map((part) => part.replaceAll('%2C', ',').replaceAll('%25', '%'));
}

export function joinList(values) {
  return [...values].map((value) => value.replaceAll('%', '%25').replaceAll(',', '%2C')).join(',');
}
