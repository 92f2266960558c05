// Publishing with Bun's own topics: bun.mjs PORT. A POST is sent to all WebSockets.
const server = Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  async fetch(request, server) {
    if (request.method === "POST") {
      server.publish("feed", await request.text());
      return new Response(null, { status: 202 });
    }
    return server.upgrade(request) ? undefined : new Response("not a WebSocket", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    open: (socket) => socket.subscribe("feed"),
    message: () => {},
  },
});
console.log(`listening on ${server.port}`);
