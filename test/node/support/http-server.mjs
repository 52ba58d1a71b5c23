// What the instances of the test's fleet run: answers with its revision and its pod, and ends as a well-behaved server does.
// /oom takes memory until the kernel ends it.
import { createServer } from "node:http";

const answer = `${process.env.REVISION} ${process.env.HOSTNAME}`;
const server = createServer((request, response) => {
  response.end(answer);
  if (request.url === "/oom") takeAll();
});
server.keepAliveTimeout = 60_000;
server.listen(8080);
process.on("SIGTERM", () => {
  server.close(() => process.exit());
  server.closeIdleConnections();
});

function takeAll() {
  const taken = [];
  for (;;) taken.push(Buffer.alloc(16 * 2 ** 20, 1));
}
