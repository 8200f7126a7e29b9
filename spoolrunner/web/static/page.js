// What the page does beyond plain HTML: it shows regions anew, times in the reader's zone, keys, and copies. Without it all works.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const FIELDS = "input:not([type=checkbox]), select, textarea";
const SILENCE = 20000, POLL = 10000, AGAIN = 60000; // ms

// ---- times: <time datetime=… data-t=hms> in the zone of the reader; data-since counts up

const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone || "";
const two = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const day = { month: "short", day: "numeric" };
const formats = { hm: two, hms: { ...two, second: "2-digit" }, ms: { ...two, second: "2-digit", fractionalSecondDigits: 3 },
                  day: day, dhm: { ...day, ...two } };
for (const name in formats) formats[name] = new Intl.DateTimeFormat("en", formats[name]);
const whole = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });

function localise(root) {
  for (const time of all("time[data-t]", root)) {
    const moment = new Date(time.dateTime);
    if (isNaN(moment) || !formats[time.dataset.t]) continue;
    time.textContent = formats[time.dataset.t].format(moment);
    time.title = whole.format(moment);
  }
  for (const name of all("[data-zone]", root)) if (zone) name.textContent = zone;
  count(root);
}

function count(root) {
  for (const time of all("time[data-since]", root)) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000)), rest = String(seconds % 60).padStart(2, "0");
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
    if (!isNaN(seconds)) time.textContent = hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  }
}

// ---- live: [data-live] regions are replaced by those of the same id in the page as the server draws it now

let etag = "", frozen = false, kept = 0, heard = Date.now(), seen = Date.now(), stream = null, polls = 0, busy = false;

function held() { // why nothing may move under the reader's hand now
  if (frozen) return "frozen";
  if (document.activeElement?.matches(FIELDS)) return "paused while you type";
  if ($("details.asks[open], dialog[open]")) return "paused while this is open";
  if ($("[data-rows] :checked")) return "paused while files are ticked";
  return getSelection().isCollapsed ? "" : "paused while text is selected";
}

function say() {
  const state = $("#live"), why = held(), age = Math.round((Date.now() - seen) / 1000);
  if (!state) return;
  const lost = Date.now() - heard > SILENCE;
  state.classList.toggle("failed", lost);
  state.textContent = lost ? `no word from the page's server for ${Math.round((Date.now() - heard) / 1000)} s`
    : why ? why + (kept ? `, ${kept} change${kept > 1 ? "s" : ""} kept` : "") : `live, ${age} s ago`;
}

async function refresh() {
  if (busy) { kept += 1; return; }
  if (held() || document.hidden) { kept += 1; say(); return; }
  busy = true;
  kept = 0;
  try {
    const answer = await fetch(location.href, { headers: { "X-Refresh": "1", ...(etag && { "If-None-Match": etag }) } });
    heard = Date.now();
    if (answer.ok) {
      etag = answer.headers.get("ETag") || "";
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (held()) kept += 1; else show(page);
    }
    if (answer.ok || answer.status === 304) seen = Date.now();
    if (answer.status === 401) $("#live").textContent = "this page is signed out: open it again by the address that was printed";
  } catch { /* the server is away: say() tells of the silence */ }
  busy = false;
  say();
}

function show(page) {
  localise(page);
  for (const old of all("[data-live]")) {
    const fresh = old.id && page.getElementById(old.id);
    if (fresh && !fresh.isEqualNode(old) && !old.contains(document.activeElement)) old.replaceWith(document.adoptNode(fresh));
  }
  const rows = $("[data-rows]"), now = $("[data-rows]", page);
  if (rows && now) compare(rows, new Set(all("[data-id]", now).map((row) => row.dataset.id)));
  if (page.title !== document.title) document.title = page.title;
}

async function compare(rows, ids) { // the rows of a list stay where they are: what left is grey, what came is counted
  const old = new Set(all("[data-id]", rows).map((row) => row.dataset.id)), newer = [...ids].filter((id) => !old.has(id)).length;
  const line = $("#newer");
  if (line) { line.hidden = !newer; $("a", line).textContent = `${newer === 100 ? "100 or more" : newer} newer: show`; }
  const left = all("[data-id]", rows).filter((row) => !ids.has(row.dataset.id) && !row.classList.contains("left")).slice(0, 100);
  if (!left.length || !rows.dataset.where) return;
  const query = left.map((row) => "id=" + encodeURIComponent(row.dataset.id)).join("&");
  const where = await (await fetch(`${rows.dataset.where}?${query}`)).json();
  for (const row of left) {
    const folder = where[row.dataset.id];
    if (folder === rows.dataset.rows) continue; // it is only further down by now
    row.classList.add("left");
    const told = row.lastElementChild;
    told.textContent = folder ? `now in ${folder}/` : "gone";
  }
}

function listen() {
  const address = document.body.dataset.events;
  if (!address || document.hidden || stream) return;
  let spoke = false;
  stream = new EventSource(address);
  const hear = () => { spoke = true; heard = Date.now(); clearInterval(polls); polls = 0; };
  stream.addEventListener("beat", hear);
  stream.addEventListener("changed", () => { hear(); refresh(); });
  const fall = () => { // a proxy holds the stream back, or there are too many: look each ten seconds instead
    if (stream) stream.close();
    stream = null;
    if (!polls) polls = setInterval(refresh, POLL);
    setTimeout(listen, AGAIN);
  };
  stream.addEventListener("error", () => { if (stream && stream.readyState === EventSource.CLOSED) fall(); });
  setTimeout(() => { if (!spoke && stream) fall(); }, SILENCE);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { if (stream) stream.close(); stream = null; clearInterval(polls); polls = 0; }
  else { listen(); refresh(); }
});

const resume = () => setTimeout(() => { if (kept && !held()) refresh(); say(); });
for (const name of ["focusout", "toggle", "selectionchange", "change", "close"]) document.addEventListener(name, resume, true);

function freeze() {
  frozen = !frozen;
  const button = $("#freeze");
  if (button) { button.setAttribute("aria-pressed", frozen); button.textContent = frozen ? "go on" : "freeze"; }
  resume();
}

// ---- keys: none of them changes anything

const rows = () => all("[data-rows] [data-id]");
const at = () => rows().findIndex((row) => row.contains(document.activeElement));
const step = (by) => { const list = rows(), row = list[Math.min(Math.max(at() + by, 0), list.length - 1)]; if (row) $("a", row)?.focus(); };
const keys = {
  "?": () => $("#keys")?.showModal(),
  "/": () => $("[type=search]")?.focus(),
  ".": freeze,
  j: () => step(1),
  k: () => step(-1),
  x: () => rows()[at()]?.querySelector("[type=checkbox]")?.click(),
};
let went = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(FIELDS) || $("dialog[open]")) return;
  if (Date.now() - went < 1500) { // the second of two keys
    went = 0;
    const link = $(`.folders [data-key="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); }
  } else if (event.key === "g") went = Date.now();
  else if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
});

// ---- copy: by a selection, so that it works over plain http too; and one tick for all on the page

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches(".copy")) {
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = document.execCommand("copy") ? "copied" : "press Ctrl+C";
    getSelection().removeAllRanges();
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  } else if (button?.id === "freeze") freeze();
  else if (event.target.closest("[data-keys]")) { event.preventDefault(); $("#keys")?.showModal(); }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const box of all("[data-rows] [type=checkbox]")) box.checked = event.target.checked;
  const ticked = $("[data-ticked]");
  if (ticked && event.target.matches("[type=checkbox]")) ticked.checked = Boolean($("[data-rows] :checked"));
});

for (const command of all(".cli")) {
  const button = document.createElement("button");
  button.className = "copy mini";
  button.type = "button";
  button.textContent = "copy";
  command.after(button);
}
for (const hidden of all("[data-script]")) hidden.hidden = false; // what only works with a script is shown by it
localise(document);
listen();
setInterval(() => { say(); if (!frozen && !document.hidden) count(document); }, 1000);
