// A server with node:http that responds to everything with a fixed text: main.mjs PORT
import { createServer } from "node:http";

const port = Number(process.argv[2]);
if (process.argv.length !== 3 || !Number.isInteger(port)) {
  console.error("usage: main.mjs PORT");
  process.exit(2);
}
const server = createServer((_, response) => {
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 13 });
  response.end("Hello, world!");
});
server.keepAliveTimeout = 600_000; // the default of 5 s would close the connections before they are weighed
server.listen({ port, host: "127.0.0.1", backlog: 4096 });
