// The page of a job: shows each change of its state by asking for the page again, and its log as it
// grows. A hidden page lets go of its streams, for browsers open only a few to one server.

import { localise } from "/static/page.js";
import { LogView } from "/static/log.js";

const RETRY_MS = [500, 1000, 2000, 5000, 10000];

const log = new LogView(document.getElementById("log-text"), document.getElementById("log-follow"));
const logState = document.getElementById("log-state");
const job = document.getElementById("live").dataset.job;

// A stream that goes on where it ended, whatever breaks it.
class Stream {
  constructor(address, handlers) {
    this.address = address;
    this.handlers = handlers;
    this.failures = 0;
    this.over = false;
  }
  open() {
    if (this.over || this.source) return;
    clearTimeout(this.timer);
    const source = new EventSource(this.address());
    this.source = source;
    source.addEventListener("open", () => { this.failures = 0; this.handlers.connected(true); });
    source.addEventListener("error", () => {
      // The browser would go on by itself, but not after every kind of failure.
      this.close();
      const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
      this.handlers.connected(false);
      this.timer = setTimeout(() => this.open(), wait);
    });
    source.addEventListener("end", () => { this.over = true; this.close(); this.handlers.end(); });
    source.addEventListener(this.handlers.name, (event) => this.handlers.event(JSON.parse(event.data)));
  }
  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
  }
}

let refreshing = false;
let again = false;

// Puts the server's own rendering in place of the part of the page that changes.
async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  try {
    const answer = await fetch(`/jobs/${job}.html`, { headers: { accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = document.importNode(page.getElementById("live"), true);
      const focused = document.activeElement?.id;
      document.getElementById("live").replaceWith(fresh);
      fresh.querySelectorAll("time").forEach(localise);
      if (focused) document.getElementById(focused)?.focus();
      document.title = page.title;
    }
  } catch {
    // The stream of states tells when the server is back, and then this is done again.
  } finally {
    refreshing = false;
    if (again) { again = false; refresh(); }
  }
}

let sequence = Number(document.getElementById("live").dataset.sequence);
const states = new Stream(() => `/api/v1/jobs/${job}/events?after=${sequence}`, {
  name: "state",
  event(state) { sequence = state.sequence; refresh(); },
  connected() {},
  end() { refresh(); },
});

const lines = new Stream(() => `/api/v1/jobs/${job}/log/events?offset=${log.end}`, {
  name: "log",
  event(part) { log.append(part); },
  connected(yes) { logState.textContent = yes ? "live" : "connection lost, trying again …"; },
  end() { logState.textContent = ""; },
});

const begin = () => { states.open(); lines.open(); };
const pause = () => { states.close(); lines.close(); };

log.toEnd();
if (document.getElementById("live").dataset.over === "false") {
  if (!document.hidden) begin();
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : begin()));
  // Durations go on while nothing happens.
  setInterval(() => {
    if (!document.hidden && !states.over && !document.activeElement?.closest("#live")) refresh();
  }, 5000);
} else {
  lines.open();
}
addEventListener("pagehide", pause);
addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
