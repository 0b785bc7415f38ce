// Small things the others use.

const $ = (id) => document.getElementById(id);

/** Seconds as m:ss, with as many decimals as asked for. */
function clock(seconds, decimals = 1) {
  const unit = 10 ** decimals;
  const whole = Math.round(Math.max(0, seconds) * unit); // rounded first: 59.96 is 1:00.0, not 0:60.0
  const minutes = Math.floor(whole / unit / 60);
  const rest = (whole - minutes * 60 * unit) / unit;
  return `${minutes}:${rest.toFixed(decimals).padStart(decimals ? decimals + 3 : 2, "0")}`;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** The bytes of a base64 text. */
function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return bytes;
}

/** An element with a class and a text. Texts come from outside: they are never read as HTML. */
function element(name, kind, text = "") {
  const made = document.createElement(name);
  made.className = kind;
  made.textContent = text;
  return made;
}

/** The index of the last of `items` whose time is not after `at`; -1 when there is none. They are in order of time. */
function lastBefore(items, at, timeOf) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(items[middle]) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
