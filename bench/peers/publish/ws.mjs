// Publishing with Node's `ws`: ws.mjs PORT. A POST is sent to all WebSockets.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("../node-http/", import.meta.url));
const { WebSocketServer } = require("ws");

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces);
    for (const socket of sockets.clients) socket.send(body, { binary: false });
    response.writeHead(202, { "Content-Length": 0 }).end();
  });
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
