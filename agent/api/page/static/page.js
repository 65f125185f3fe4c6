// Puts newer parts of the page in place, and sends forms without loading the page anew.
// Everything works without it: forms and links are plain ones.
"use strict";

const told = document.getElementById("told");

// The answer is seen from wherever the button stands; then it stays at the top alone.
const FRESH_MS = 8000;
let freshUntil;

function tell(sentence) {
  if (!told) return;
  clearTimeout(freshUntil);
  freshUntil = setTimeout(() => told.classList.remove("fresh"), FRESH_MS);
  told.classList.add("fresh");
  const line = document.createElement("p");
  line.className = "told";
  line.textContent = sentence;
  told.replaceChildren(line);
}

// Every <time> that gives an instant in UTC says it in the reader's zone, the UTC beside it.
const asTime = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const asMinute = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const asDate = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

function showLocalTimes(place) {
  for (const one of place.querySelectorAll("time[datetime]")) {
    const at = new Date(one.dateTime);
    const utc = one.title || one.textContent;
    const isToday = asDate.format(at) === asDate.format(new Date());
    const asClock = one.dateTime.length > 17 ? asTime : asMinute;
    const local = (isToday ? "" : asDate.format(at) + ", ") + asClock.format(at);
    if (one.title) {
      one.title = `${local} (${utc})`; // its words say how long ago
    } else {
      const beside = document.createElement("small");
      beside.textContent = `(${one.dateTime.slice(at.getDate() === at.getUTCDate() ? 11 : 5, -1).replace("T", " ")} UTC)`;
      one.replaceChildren(local, " ", beside);
    }
  }
}

// What a person is typing or choosing must not be taken away by a newer part. While a button is
// down nothing changes at all: a part above that grows would move it away before the release.
const PRESS_MS = 3000; // for a release that is never reported
const held = new Map(); // the newest of each part that was held back
let pressedUntil = 0;

function isInUse(place) {
  if (performance.now() < pressedUntil) return true;
  const active = document.activeElement;
  return place.contains(active) && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName);
}

function press() {
  pressedUntil = performance.now() + PRESS_MS;
}

// The click itself comes after the release.
function release() {
  setTimeout(() => {
    pressedUntil = 0;
    putHeld();
  });
}

// What is open stays open, by its id; a button keeps the focus, by its words.
function keepPlace(place, change) {
  const active = document.activeElement;
  const isPressed = place.contains(active) && /^(BUTTON|SUMMARY)$/.test(active.tagName);
  const label = isPressed ? active.textContent : "";
  const open = [...place.querySelectorAll("details[open]")].map((one) => one.id);
  change();
  for (const one of place.querySelectorAll("details")) one.open = open.includes(one.id);
  if (isPressed) {
    const again = [...place.querySelectorAll("button, summary")].find((one) => one.textContent === label);
    if (again) again.focus();
  }
}

function put(part, html) {
  held.set(part, html);
  putHeld();
}

function putHeld() {
  for (const [part, html] of [...held]) {
    const place = document.getElementById("part-" + part);
    if (place && isInUse(place)) continue;
    held.delete(part);
    // Made by the server, with everything in it escaped.
    if (place) keepPlace(place, () => { place.innerHTML = html; });
    if (place) showLocalTimes(place);
  }
}

function listen() {
  const page = document.body.dataset.live;
  if (!page) return;
  const filter = encodeURIComponent(document.body.dataset.filter || "");
  const events = new EventSource(`/page/events?page=${page}&filter=${filter}`);
  events.onmessage = (event) => {
    const news = JSON.parse(event.data);
    put(news.part, news.html);
    document.body.classList.remove("silent");
  };
  events.onopen = () => document.body.classList.remove("silent");
  events.onerror = () => document.body.classList.add("silent");
}

async function send(form, button) {
  const fields = new URLSearchParams(new FormData(form));
  if (button && button.name) fields.set(button.name, button.value);
  const buttons = form.querySelectorAll("button");
  buttons.forEach((one) => one.setAttribute("aria-disabled", "true"));
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: fields,
    });
    if (answer.status === 401) { location.assign("/login"); return; }
    tell(answer.ok ? (await answer.json()).told : await answer.text());
    form.closest("details.ask")?.removeAttribute("open");
    if (answer.ok && !document.body.dataset.live) location.reload();
  } catch {
    tell("The charge point does not answer.");
  } finally {
    buttons.forEach((one) => one.removeAttribute("aria-disabled"));
  }
}

for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, press);
for (const name of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(name, release);
// A press takes the focus from a field before its release: only what was held for the field may change.
document.addEventListener("focusout", () => setTimeout(putHeld));

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || new URL(form.action).pathname !== "/page/do" || !document.body.dataset.live) return;
  event.preventDefault();
  send(form, event.submitter);
});

// "make run" gives a link with the token behind "#", which no browser sends anywhere.
function logInWithLink() {
  const form = document.getElementById("login");
  const text = location.hash.slice(1);
  if (!form || !text) return;
  history.replaceState(null, "", location.pathname);
  form.elements.token.value = decodeURIComponent(text);
  form.submit();
}

showLocalTimes(document);
logInWithLink();
// The link pasted where the login is open already loads nothing anew.
window.addEventListener("hashchange", logInWithLink);
listen();
