// A server with Bun.serve: main.mjs PORT KIND
const [, , portText, kind = "http", ...rest] = process.argv;
const port = Number(portText);
if (rest.length > 0 || !portText || !Number.isInteger(port)) {
  console.error("usage: main.mjs PORT [KIND]");
  process.exit(2);
}

const waiting = [];
const hello = () => new Response("Hello, world!", { headers: { "Content-Type": "text/plain" } });

const events = () =>
  new Response(
    new ReadableStream({
      start(controller) {
        for (let i = 0; i < 10; ++i) controller.enqueue("data: an event of a stream that is weighed\n\n");
      },
    }),
    { headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" } },
  );

const upgrade = (request, server) =>
  server.upgrade(request) ? undefined : new Response("a WebSocket is expected", { status: 426 });

const poll = (request) => {
  if (new URL(request.url).pathname !== "/release") return new Promise((resolve) => waiting.push(resolve));
  for (const each of waiting.splice(0)) each(hello());
  return hello();
};

const database = kind === "database" ? new Bun.SQL(process.env.DATABASE_URL, { max: 16 }) : undefined;

const item = async (request) => {
  try {
    const id = new URL(request.url).pathname.slice("/items/".length);
    const rows = await database`SELECT id::int, name, price FROM items WHERE id = ${id}`;
    return Response.json(rows[0]);
  } catch (error) {
    return new Response(String(error), { status: 503 });
  }
};

const handlers = {
  "http": hello,
  "https": hello,
  "websocket": upgrade,
  "websocket-tls": upgrade,
  "sse": events,
  "long-poll": poll,
  "database": item,
};
if (!(kind in handlers)) {
  console.error(`main.mjs: no kind '${kind}'; there are: ${Object.keys(handlers).join(", ")}`);
  process.exit(2);
}

const secret = kind === "https" || kind === "websocket-tls";
Bun.serve({
  port,
  hostname: "127.0.0.1",
  idleTimeout: 255, // the default of 10 s would close the connections before they are weighed
  fetch: handlers[kind],
  ...(secret ? { tls: { cert: Bun.file(process.env.TLS_CERTIFICATE), key: Bun.file(process.env.TLS_KEY) } } : {}),
  ...(kind.startsWith("websocket")
    ? { websocket: { message: (socket, message) => void socket.send(message) } }
    : {}),
});
