// What the page does beyond plain HTML: it looks again, shows times in the reader's zone, has keys, and copies.
// Without it all works: it changes nothing in the spool, and draws nothing by itself.
"use strict";

const root = new URL("..", document.currentScript.src).href;
const $ = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const FIELDS = "input:not([type=checkbox], [type=radio]), select, textarea";
const SILENCE = 20000, POLL = 10000, AGAIN = 60000; // ms

// ---- times, in the zone of the reader

const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone || "";
const hm = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, hms = { ...hm, second: "2-digit" };
const date = { month: "short", day: "numeric" }, shapes = { hm, hms, day: date, dhm: { ...date, ...hm }, ms: { ...hms, fractionalSecondDigits: 3 } };
const forms = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, new Intl.DateTimeFormat("en", shape)]));
const whole = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "long", hourCycle: "h23" });

function localise(inside) { // <time data-t=…> says in which form
  for (const time of all("time[data-t]", inside)) {
    const moment = new Date(time.dateTime), form = forms[time.dataset.t];
    if (isNaN(moment) || !form) continue;
    time.textContent = form.format(moment);
    time.title = whole.format(moment);
  }
  for (const name of all("[data-zone]", inside)) if (zone) name.textContent = zone;
  count(inside);
}

function count(inside) { // <time data-since> is a running time, as a stopwatch shows it
  for (const time of all("time[data-since]", inside)) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
    const rest = (value) => String(value % 60).padStart(2, "0"), minutes = Math.floor(seconds / 60);
    if (isNaN(seconds)) continue;
    time.textContent = minutes < 60 ? `${minutes}:${rest(seconds)}` : `${Math.floor(minutes / 60)}:${rest(minutes)}:${rest(seconds)}`;
  }
}

// ---- live: regions with data-live are replaced by those of the same id in the page as the server draws it now

let tag = "", trouble = "", frozen = false, kept = 0, busy = false, heard = Date.now(), seen = Date.now(), stream = null, polls = 0;

function held() { // why nothing may move under the reader's hand
  if (frozen) return "frozen";
  if (document.activeElement?.matches(FIELDS)) return "paused while you type or choose";
  if ($("details.asks[open], dialog[open]")) return "paused while a question is open";
  if ($("[data-rows] :checked")) return "paused while files are ticked";
  return getSelection().isCollapsed ? "" : "paused while text is selected";
}

function say() {
  const state = $("#live"), silence = Date.now() - heard, why = held();
  if (!state) return;
  state.classList.toggle("failed", Boolean(trouble) || silence > SILENCE);
  state.textContent = trouble || (silence > SILENCE
    ? `No word from the page's server for ${Math.round(silence / 1000)} s; what you see is of ${forms.hms.format(new Date(seen))}.`
    : why ? why + (kept ? `; ${kept} ${kept === 1 ? "change" : "changes"} kept` : "")
    : `live, ${Math.max(0, Math.round((Date.now() - seen) / 1000))} s ago`);
}

async function refresh() {
  if (busy || document.hidden || held()) { kept += 1; say(); return; }
  busy = true;
  kept = 0;
  try {
    const headers = tag ? { "X-Refresh": "1", "If-None-Match": tag } : { "X-Refresh": "1" };
    const answer = await fetch(location.href, { headers });
    heard = Date.now();
    const isPage = (answer.ok || answer.status === 503) && answer.headers.get("Content-Type")?.startsWith("text/html");
    if (isPage) { // 503 is the page of a spool that is gone
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (held()) kept += 1;
      else { tag = answer.headers.get("ETag") || ""; await show(page); }
    }
    trouble = answer.status === 401 ? "This browser is not known any more: open the address that was printed." : "";
    if (isPage || answer.status === 304) seen = Date.now();
  } catch { // the server is away; say() tells how long
  } finally { busy = false; }
  if (kept && !document.hidden && !held()) refresh(); // something changed in between
  else say();
}

const named = (page) => all("main [data-live]", page).map((region) => region.id).join();

async function show(page) {
  localise(page);
  complete(page);
  if (named(page) !== named(document)) $("main").replaceWith(document.adoptNode($("main", page))); // another state, with other parts
  for (const old of all("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (fresh && !fresh.isEqualNode(old) && !old.contains(document.activeElement)) old.replaceWith(document.adoptNode(fresh));
  }
  document.title = page.title;
  const rows = $("[data-rows]"), now = $("[data-rows]", page);
  if (rows) await compare(rows, new Set(now ? all("[data-id]", now).map((row) => row.dataset.id) : []));
}

async function compare(rows, ids) { // rows stay where they are: what left is grey and says where it is, what came is counted
  const old = new Set(all("[data-id]", rows).map((row) => row.dataset.id));
  const newer = [...ids].filter((id) => !old.has(id)).length, line = $("#newer");
  if (line) {
    line.hidden = !newer;
    $("a", line).textContent = `${newer} newer: show`;
  }
  const gone = all("[data-id]:not(.left)", rows).filter((row) => !ids.has(row.dataset.id)).slice(0, 100);
  if (!gone.length) return;
  const asked = gone.map((row) => "id=" + encodeURIComponent(row.dataset.id)).join("&");
  const answer = await fetch(`${rows.dataset.where}?${asked}`);
  const where = answer.ok ? await answer.json() : {};
  for (const row of gone) {
    const folder = where[row.dataset.id];
    if (folder === undefined || folder === rows.dataset.rows) continue; // it lies further down by now
    row.classList.add("left");
    row.lastElementChild.textContent = folder ? `now in ${folder}/` : "removed";
  }
}

function listen() {
  if (document.hidden || stream) return;
  const mine = stream = new EventSource(`${root}events`);
  let spoke = false;
  const hear = () => { spoke = true; heard = Date.now(); clearInterval(polls); polls = 0; };
  mine.addEventListener("beat", hear);
  mine.addEventListener("changed", () => { hear(); refresh(); });
  const fall = () => { // too many listen, or a proxy holds the stream back: look each ten seconds instead
    if (stream !== mine) return;
    hush();
    polls = setInterval(refresh, POLL);
    setTimeout(listen, AGAIN);
  };
  mine.addEventListener("error", () => { if (mine.readyState === EventSource.CLOSED) fall(); });
  setTimeout(() => { if (!spoke) fall(); }, SILENCE);
}

function hush() {
  stream?.close();
  stream = null;
  clearInterval(polls);
  polls = 0;
}

function resume() { setTimeout(() => { if (kept && !held()) refresh(); else say(); }); }

function freeze() {
  frozen = !frozen;
  $("#freeze")?.setAttribute("aria-pressed", frozen);
  if (!frozen) kept += 1;
  resume();
}

if ($("#live")) {
  $("#refresh").hidden = true;
  document.addEventListener("visibilitychange", () => { if (document.hidden) hush(); else { listen(); refresh(); } });
  for (const name of ["focusout", "toggle", "selectionchange", "change"]) document.addEventListener(name, resume, true);
  listen();
  say();
  setInterval(() => { say(); if (!frozen && !document.hidden) count(document); }, 1000);
}

// ---- keys: none of them changes anything in the spool

const rows = () => all("[data-rows] [data-id]");
const at = () => rows().findIndex((row) => row.contains(document.activeElement));
const step = (by) => { const list = rows(); $("a", list[Math.min(Math.max(at() + by, 0), list.length - 1)])?.focus(); };
const keys = {
  "?": () => $("#keys")?.showModal(),
  "/": () => $("[type=search]")?.focus(),
  ".": freeze,
  j: () => rows().length && step(1),
  k: () => rows().length && step(-1),
  x: () => $("[type=checkbox]", rows()[at()] || document.createElement("p"))?.click(),
};
let went = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(FIELDS) || $("dialog[open]")) return;
  const link = Date.now() - went < 1500 && $(`.folders [data-key="${CSS.escape(event.key)}"]`);
  if (link) link.click();
  else if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
  went = event.key === "g" ? Date.now() : 0;
});

// ---- copy: by a selection, which works over plain http too; one tick for all rows; a tick chooses the ticked

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.id === "freeze") freeze();
  if (event.target.closest("[data-keys]")) { event.preventDefault(); $("#keys").showModal(); }
  if (!button?.matches(".copy")) return;
  getSelection().selectAllChildren(button.previousElementSibling);
  button.textContent = document.execCommand("copy") ? "copied" : "press Ctrl+C";
  if (button.textContent === "copied") getSelection().removeAllRanges();
  setTimeout(() => { button.textContent = "copy"; }, 2000);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) for (const box of all("[data-rows] [type=checkbox]")) box.checked = event.target.checked;
  const ticked = event.target.matches("[type=checkbox]") && $("[type=radio][value=ticked]");
  if (ticked) ticked.checked = Boolean($("[data-rows] :checked"));
});

function complete(inside) { // what only a script can do is shown where there is one
  for (const part of all("[data-script]", inside)) part.hidden = false;
  for (const command of all(".cli", inside)) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy mini", textContent: "copy" });
    command.after(button);
  }
}

complete(document);
localise(document);
