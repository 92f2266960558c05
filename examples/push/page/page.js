// Subscribes to a topic in each of the three ways, publishes, and shows the gateway's counters.
"use strict";

const at = (id) => document.getElementById(id);
const maxShown = 200;
let subscription = null; // has stop()

function show(text, isNote = false) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const what = document.createElement("span");
  time.textContent = new Date().toLocaleTimeString("en-GB");
  what.textContent = text;
  if (isNote) what.className = "note";
  item.append(time, what);
  at("events").prepend(item);
  while (at("events").childElementCount > maxShown) at("events").lastElementChild.remove();
}

function setState(state, text) {
  at("state").dataset.state = state;
  at("state").textContent = text;
}

const pathOf = (topic) => `topics/${encodeURIComponent(topic)}`;

// The browser connects again by itself, with Last-Event-ID.
function followEvents(topic) {
  const source = new EventSource(`${pathOf(topic)}/events`);
  source.addEventListener("open", () => setState("open", `event stream of ${topic}`));
  source.addEventListener("message", (event) => show(event.data));
  source.addEventListener("reset", (event) => show(`events are missing: ${JSON.parse(event.data).reason}`, true));
  source.addEventListener("unavailable", (event) => show(event.data, true));
  source.addEventListener("error", () => {
    const isOver = source.readyState === EventSource.CLOSED;
    setState("bad", isOver ? "the gateway has refused the event stream" : "connecting again");
  });
  return { stop: () => source.close() };
}

// A WebSocket has no ids: what is published before it is connected again is missed.
function followSocket(topic) {
  let socket = null;
  let timer = 0;
  let isStopped = false;
  const url = new URL(`${pathOf(topic)}/socket`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const connect = () => {
    socket = new WebSocket(url);
    socket.addEventListener("open", () => setState("open", `WebSocket of ${topic}`));
    socket.addEventListener("message", (event) => show(event.data));
    socket.addEventListener("close", (event) => {
      if (isStopped) return;
      setState("bad", `closed with ${event.code}; connecting again`);
      timer = setTimeout(connect, 500 + 2000 * Math.random());
    });
  };
  connect();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
      socket.close();
    },
  };
}

function followPolls(topic) {
  const stopped = new AbortController();
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const poll = async () => {
    let id = "";
    while (!stopped.signal.aborted) {
      try {
        const answer = await fetch(`${pathOf(topic)}/next`, {
          headers: id ? { "last-event-id": id } : {},
          signal: stopped.signal,
          cache: "no-store",
        });
        const text = await answer.text();
        if (answer.status === 200) show(text);
        else if (answer.status === 410) show(text.trim(), true);
        else if (answer.status !== 204) throw new Error(text.trim());
        id = answer.headers.get("event-id") ?? id;
      } catch (error) {
        if (stopped.signal.aborted) return;
        setState("bad", `${error.message}; asking again`);
        await wait(500 + 2000 * Math.random());
      }
      if (!stopped.signal.aborted) setState("open", `long polls of ${topic}`);
    }
  };
  setState("open", `long polls of ${topic}`);
  void poll();
  return { stop: () => stopped.abort() };
}

const ways = { events: followEvents, socket: followSocket, next: followPolls };

at("subscribe").addEventListener("submit", (event) => {
  event.preventDefault();
  if (subscription) {
    subscription.stop();
    subscription = null;
    setState("closed", "not subscribed");
  } else {
    setState("closed", "connecting");
    subscription = ways[at("kind").value](at("topic").value);
  }
  at("toggle").textContent = subscription ? "Stop" : "Subscribe";
  at("topic").disabled = at("kind").disabled = subscription !== null;
});

at("publish").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = at("token").value;
  try {
    const answer = await fetch(pathOf(at("topic").value), {
      method: "POST",
      headers: { "content-type": "text/plain; charset=utf-8", ...(token && { authorization: `Bearer ${token}` }) },
      body: at("data").value,
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}: ${text.trim()}`);
    const { id, recipients } = JSON.parse(text);
    at("outcome").dataset.state = "open";
    at("outcome").textContent = `published as ${id}${recipients === undefined ? "" : `, ${recipients} recipient${recipients === 1 ? "" : "s"}`}`;
  } catch (error) {
    at("outcome").dataset.state = "bad";
    at("outcome").textContent = error.message;
  }
});

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  for (; number >= 1024 && unit < units.length - 1; ++unit) number /= 1024;
  return `${number.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

async function showCounters() {
  try {
    const seen = await (await fetch("counters", { cache: "no-store" })).json();
    const shown = {
      topics: seen.topics,
      ...seen.subscribers,
      published: seen.events,
      deliveries: seen.deliveries,
      behind: seen.behind,
      missed: seen.missed,
      resets: seen.resets,
      kept: bytes(seen.kept_bytes),
      memory: `${bytes(seen.memory)} of ${bytes(seen.budget)}`,
    };
    for (const cell of document.querySelectorAll("[data-counter]")) cell.textContent = shown[cell.dataset.counter];
  } catch {
    // The gateway does not respond: the last counters stay.
  }
  setTimeout(showCounters, 1000);
}

function showCommand() {
  at("command").textContent = `curl -d Hello ${new URL(pathOf(at("topic").value), location.href)}`;
}

at("topic").addEventListener("input", showCommand);
showCommand();
void showCounters();
