// The workloads of bench/README.md on Node.js: promises and timers.
//
//   node --expose-gc main.mjs WORKLOAD N

import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";

const forEver = 3_600_000;
const atOnce = 1;
const requestSize = 1024;
const churnAlive = 100_000;
const churnRound = 1_000;

let parked = 0;
let checksum = 0;

// Counts the tasks when they are suspended.
function noted(length) {
  if (length === forEver) ++parked;
  return length;
}

const secondsSince = (start) => (performance.now() - start) / 1000;
const say = (line) => process.stdout.write(line + "\n");

// --- empty

async function sleeper() {
  await sleep(noted(forEver));
}

// --- handler

// A stream returns a buffer when the bytes have arrived.
async function read(untilArrival) {
  await sleep(noted(untilArrival));
  const buffer = Buffer.allocUnsafe(4096);
  buffer.fill(7, 0, requestSize);
  return buffer;
}

function keyOf(request) {
  let key = 0;
  for (let i = 0; i < requestSize; ++i) key = (key * 31 + request[i]) | 0;
  return key;
}

async function query(key, latency) {
  await sleep(noted(latency));
  return (key * 31 + 7) | 0;
}

function buildResponse(row, id) {
  const response = Buffer.allocUnsafe(2048);
  response.writeUInt8(id, 0);
  for (let i = 1; i < requestSize; ++i) response[i] = row >> ((i % 4) * 8);
  return response;
}

async function write(response) {
  await sleep(atOnce);
  checksum += response[requestSize - 1];
}

async function handler(untilArrival, latency) {
  const request = await read(untilArrival);
  const row = await query(keyOf(request), latency);
  const response = buildResponse(row, request[0]);
  await write(response);
}

async function trimmedHandler(untilArrival, latency) {
  let request = await read(untilArrival);
  const key = keyOf(request);
  const id = request[0];
  request = null;
  const row = await query(key, latency);
  const response = buildResponse(row, id);
  await write(response);
}

// --- nested

async function nested(level, value, atLeaf) {
  if (level === 1) {
    await sleep(noted(atLeaf));
    return value;
  }
  return value + (await nested(level - 1, value + 1, atLeaf));
}

async function nestedTask(atTop, atLeaf) {
  if (atTop === forEver) await sleep(noted(atTop));
  checksum += await nested(8, 1, atLeaf);
}

// --- mostly-ready

async function lookUp(i) {
  if (i % 100 === 0) await immediate();
  return i;
}

async function mostlyReady(n) {
  const start = performance.now();
  for (let i = 0; i < n; ++i) checksum += await lookUp(i);
  say(`seconds=${secondsSince(start)}`);
}

// --- churn

async function shortTask(i) {
  await null;
  checksum += i;
}

async function churn(n) {
  const start = performance.now();
  for (let done = 0; done < n; done += churnRound) {
    const round = [];
    for (let i = done; i < Math.min(n, done + churnRound); ++i) round.push(shortTask(i));
    await Promise.all(round);
  }
  say(`seconds=${secondsSince(start)}`);
}

// --- the program

const tasks = {
  empty: sleeper,
  "handler-at-read": () => handler(forEver, atOnce),
  "handler-at-query": () => handler(atOnce, forEver),
  "trimmed-at-read": () => trimmedHandler(forEver, atOnce),
  "trimmed-at-query": () => trimmedHandler(atOnce, forEver),
  "nested-at-leaf": () => nestedTask(atOnce, forEver),
  "nested-at-top": () => nestedTask(forEver, atOnce),
  churn: sleeper,
};

async function park(workload, n) {
  const count = workload === "churn" ? churnAlive : n;
  const start = performance.now();
  const all = new Array(count);
  for (let i = 0; i < count; ++i) all[i] = tasks[workload]();
  while (parked < count) await sleep(atOnce);
  say(`spawn_seconds=${secondsSince(start)}`);
  if (workload === "churn") await churn(n);
  globalThis.gc?.();
  say("READY");
  await Promise.all(all);
}

async function awaits(n) {
  await mostlyReady(n);
  say("READY");
  await sleep(forEver);
}

const [workload, count] = process.argv.slice(2);
if (process.argv.length !== 4 || !/^[0-9]+$/.test(count) || !(workload in tasks || workload === "mostly-ready")) {
  process.stderr.write("usage: node main.mjs WORKLOAD N\n");
  process.exit(2);
}
await (workload === "mostly-ready" ? awaits(Number(count)) : park(workload, Number(count)));
process.exit(checksum === 1 ? 1 : 0);
