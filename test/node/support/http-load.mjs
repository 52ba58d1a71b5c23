// Asks TARGET again and again, by name: some clients with a new connection for each request, one that keeps its own. Its port 9000 tells what came of it.
import { Agent, createServer, get } from "node:http";

const report = { answers: {}, failures: [] };
const pauseMs = 100;

for (let client = 0; client < 4; client++) void ask(new Agent({ keepAlive: false }));
void ask(new Agent({ keepAlive: true }));
createServer((_, response) => response.end(JSON.stringify(report))).listen(9000);
process.on("SIGTERM", () => process.exit());

async function ask(agent) {
  for (;;) {
    try {
      const revision = (await answer(agent)).split(" ")[0];
      report.answers[revision] = (report.answers[revision] ?? 0) + 1;
    } catch (error) {
      report.failures.push(`${new Date().toISOString()} ${error.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function answer(agent) {
  return new Promise((resolve, reject) => {
    const request = get(process.env.TARGET, { agent, timeout: 10_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => (response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`))));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("no answer within 10 s")));
    request.on("error", reject);
  });
}
