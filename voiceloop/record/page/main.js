// Hands and eyes: pointer, keys, buttons, and what they show.

const axis = new Axis($("axis"));
const player = new Player(moved);
const lines = [...document.querySelectorAll("#lines li[data-at]")];
let line = null;

function moved(at) {
  $("head").style.transform = `translateX(${axis.x(at)}px)`;
  $("clock").textContent = `${clock(at)} / ${clock(call.duration)}`;
  $("play").textContent = player.playing ? "Stop" : "Play";
  $("play").setAttribute("aria-pressed", player.playing);
  axis.labels.mark(player.playing ? wordAt(at) : null);
  if (player.playing) axis.reveal(at, 0.1);
  else tell(at);
  const current = lines[lastBefore(lines, at + 0.001, (item) => Number(item.dataset.at))] ?? null;
  if (current !== line) {
    line?.classList.remove("now");
    current?.classList.add("now");
    line = current;
  }
}

/** The position, for those who hear the page. */
function tell(at) {
  axis.box.setAttribute("aria-valuemin", "0");
  axis.box.setAttribute("aria-valuemax", call.duration.toFixed(2));
  axis.box.setAttribute("aria-valuenow", at.toFixed(2));
  axis.box.setAttribute("aria-valuetext", [clock(at, 2), ...describe(at, 0.02, axis.wire)].join(". "));
}

function go(at) {
  player.seek(at);
  axis.reveal(player.position);
}

// --- values under the pointer, or at the play head while keys move it -----------------------------------------------

function showTip(at, x, y) {
  const tip = $("tip");
  tip.replaceChildren(...[clock(at, 3), ...describe(at, 4 / axis.scale, axis.wire)].map((text) => element("p", "", text)));
  tip.hidden = false;
  const frame = tip.parentElement;
  const left = x + 16 + tip.offsetWidth > frame.clientWidth ? x - 16 - tip.offsetWidth : x + 16;
  tip.style.left = `${clamp(left, 0, Math.max(0, frame.clientWidth - tip.offsetWidth))}px`;
  tip.style.top = `${clamp(y + 16, 0, Math.max(0, frame.clientHeight - tip.offsetHeight))}px`;
  $("cursor").hidden = false;
  $("cursor").style.transform = `translateX(${axis.x(at)}px)`;
}

function hideTip() {
  $("tip").hidden = true;
  $("cursor").hidden = true;
}

const inFrame = (event) => {
  const box = axis.box.parentElement.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};
const timeOf = (event) => axis.at(event.clientX - axis.box.getBoundingClientRect().left + axis.left);

axis.box.addEventListener("pointermove", (event) => {
  if (event.pointerType !== "touch") showTip(timeOf(event), ...inFrame(event));
});
axis.box.addEventListener("pointerleave", hideTip);
axis.box.addEventListener("blur", hideTip);
axis.box.addEventListener("click", (event) => {
  const at = Number(event.target.dataset?.at ?? timeOf(event));
  if (event.pointerType === "touch") showTip(at, ...inFrame(event));
  else hideTip();
  if (call.sound) player.play(at);
  else player.seek(at);
});

// --- zoom ------------------------------------------------------------------------------------------------------------

axis.box.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * 0.004), event.clientX - axis.box.getBoundingClientRect().left);
}, { passive: false });

function zoom(factor, x) {
  axis.zoom(axis.scale * factor, x);
  moved(player.position);
}

axis.box.addEventListener("touchmove", (event) => {
  if (event.touches.length !== 2) return;
  event.preventDefault(); // two fingers zoom this axis, not the page
  const [one, other] = event.touches;
  const apart = Math.max(20, Math.abs(one.clientX - other.clientX));
  if (axis.apart) zoom(apart / axis.apart, (one.clientX + other.clientX) / 2 - axis.box.getBoundingClientRect().left);
  axis.apart = apart;
}, { passive: false });
axis.box.addEventListener("touchend", () => { axis.apart = 0; });

$("in").addEventListener("click", () => zoom(1.5));
$("out").addEventListener("click", () => zoom(1 / 1.5));
$("fit").addEventListener("click", () => zoom(axis.fitting / axis.scale));
$("wire").addEventListener("change", (event) => {
  axis.wire = event.target.checked;
  lanes();
  axis.draw();
});

// --- the strip of the whole call -------------------------------------------------------------------------------------

function drag(event) {
  if (event.type === "pointerdown") axis.overview.setPointerCapture(event.pointerId);
  if (!event.buttons) return;
  const share = (event.clientX - axis.overview.getBoundingClientRect().left) / axis.overview.clientWidth;
  axis.box.scrollLeft = axis.x(share * call.duration) - axis.width / 2;
}
axis.overview.addEventListener("pointerdown", drag);
axis.overview.addEventListener("pointermove", drag);

// --- play, keys, lists -----------------------------------------------------------------------------------------------

function toggle() {
  if (player.playing) player.halt();
  else player.play(player.position);
}
$("play").addEventListener("click", toggle);

const KEYS = {
  " ": toggle,
  Escape: () => { hideTip(); if (player.playing) { player.halt(); go(player.began); } },
  ArrowLeft: (event) => go(player.position - (event.shiftKey ? 0.05 : 1)),
  ArrowRight: (event) => go(player.position + (event.shiftKey ? 0.05 : 1)),
  PageUp: () => go(moments[lastBefore(moments, player.position - 0.01, Number)] ?? 0),
  PageDown: () => go(moments[lastBefore(moments, player.position + 0.001, Number) + 1] ?? call.duration),
  Home: () => go(0),
  End: () => go(call.duration),
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  0: () => zoom(axis.fitting / axis.scale),
};
const MOVES_HEAD = new Set(["ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End"]);

document.addEventListener("keydown", (event) => {
  const on = event.target;
  const free = on === document.body || on === axis.box || event.key === "Escape";
  if (!free || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key](event);
  if (MOVES_HEAD.has(event.key) && !player.playing) showTip(player.position, axis.x(player.position) - axis.left + $("lanes").offsetWidth, 24);
});

document.addEventListener("click", (event) => {
  const place = event.target.closest?.("#lines [data-at], table [data-at], .faults [data-at]");
  if (!place || String(getSelection())) return;
  const at = Number(place.dataset.at);
  player.seek(at);
  axis.box.scrollLeft = axis.x(at) - axis.width * 0.25;
  $("picture").scrollIntoView({ block: "nearest" });
});

// --- begin -----------------------------------------------------------------------------------------------------------

function lanes() {
  const named = [["caller", "Caller", ROWS.caller, WAVE], ["", "Wait", ROWS.wait, 44], ["agent", "Agent", ROWS.agent, WAVE]];
  if (axis.wire) named.push(["", "", ROWS.wire, 22]);
  $("lanes").replaceChildren(...named.map(([kind, text, top, height]) => {
    const made = element("span", kind, text);
    made.style.top = `${top}px`;
    made.style.height = `${height}px`;
    return made;
  }));
}

function restyle() {
  axis.readColours();
  axis.draw();
}

function resize() {
  axis.zoom(axis.scale, 0);
  moved(player.position);
}

$("picture").hidden = false;
$("play").disabled = !call.sound?.samples;
lanes();
axis.readColours();
axis.zoom(clamp(axis.fitting, READABLE, 4 * READABLE), 0);
moved(0);
axis.box.addEventListener("scroll", () => axis.ask());
new ResizeObserver(() => resize()).observe(axis.box);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);

let before = 0;
addEventListener("beforeprint", () => {
  before = axis.scale;
  document.documentElement.dataset.print = "";
  axis.box.parentElement.style.width = "700px";
  axis.readColours();
  axis.zoom(0, 0);
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.print;
  axis.box.parentElement.style.width = "";
  axis.readColours();
  axis.zoom(before, 0);
});

// For tests, and for whoever looks behind the picture in a console.
window.picture = {
  get state() {
    return { position: player.position, playing: player.playing, audio: player.context?.state ?? "none", scale: axis.scale, left: axis.left };
  },
  samples: (from, to) => Array.from((player.decode() ?? new Float32Array()).subarray(from, to)),
};
