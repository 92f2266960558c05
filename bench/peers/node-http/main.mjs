// A server with node:http, with `ws` for WebSockets, and `pg` for PostgreSQL: main.mjs PORT [KIND]
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";

const [, , portText, kind = "http", ...rest] = process.argv;
const port = Number(portText);
if (rest.length > 0 || !portText || !Number.isInteger(port)) {
  console.error("usage: main.mjs PORT [KIND]");
  process.exit(2);
}

const hello = (response) => {
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 13 });
  response.end("Hello, world!");
};

const pool = kind === "database" ? await openPool() : undefined;

async function openPool() {
  const { default: pg } = await import("pg");
  const made = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16, idleTimeoutMillis: 0 });
  made.on("error", () => {});
  return made;
}

async function item(request, response) {
  try {
    const id = request.url.slice("/items/".length);
    const { rows } = await pool.query("SELECT id::int, name, price FROM items WHERE id = $1", [id]);
    const body = JSON.stringify(rows[0]);
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  } catch (error) {
    response.writeHead(503).end(String(error));
  }
}

const waiting = [];
const handlers = {
  "http": (_, response) => hello(response),
  "https": (_, response) => hello(response),
  "websocket": (_, response) => response.writeHead(426).end(),
  "websocket-tls": (_, response) => response.writeHead(426).end(),
  "sse": (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    for (let i = 0; i < 10; ++i) response.write("data: an event of a stream that is weighed\n\n");
  },
  "long-poll": (request, response) => {
    if (request.url === "/release") {
      for (const each of waiting.splice(0)) hello(each);
      hello(response);
    } else {
      waiting.push(response);
      response.on("close", () => {
        const at = waiting.indexOf(response);
        if (at >= 0) waiting.splice(at, 1);
      });
    }
  },
  "database": item,
};
if (!(kind in handlers)) {
  console.error(`main.mjs: no kind '${kind}'; there are: ${Object.keys(handlers).join(", ")}`);
  process.exit(2);
}

const server =
  kind === "https" || kind === "websocket-tls"
    ? createSecureServer(
        { cert: readFileSync(process.env.TLS_CERTIFICATE), key: readFileSync(process.env.TLS_KEY) },
        handlers[kind],
      )
    : createServer(handlers[kind]);
server.keepAliveTimeout = 600_000; // the default of 5 s would close the connections before they are weighed
if (kind.startsWith("websocket")) {
  const { WebSocketServer } = await import("ws");
  new WebSocketServer({ server }).on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
}
server.listen({ port, host: "127.0.0.1", backlog: 4096 });
