// node main.mjs: the handlers are examples, to be replaced by yours.
import { setTimeout as sleep } from "node:timers/promises";
import { createExecutor } from "./executor.mjs";

const handlers = {
  hello({ job, item, total, itemParameter, parameter }) {
    console.log(`${job.name}: item ${item} of ${total} (${itemParameter}): ${parameter}`);
  },
  result: ({ itemParameter }) => ({ message: "greeted", result: `hello ${itemParameter}` }),
  /** Says that there is more to do: with repeatWhileContinue the item is run again. */
  more: () => ({ continue: true }),
  fail() {
    throw new Error("the disk is full");
  },
  async sleep({ parameter, signal, progress }) {
    progress(50, `sleeping ${parameter} s`);
    await sleep(Number(parameter) * 1000, undefined, { signal });
  },
};

const { EXECUTOR_HOST: host, EXECUTOR_PORT: port = "9900", EXECUTOR_TOKEN: token = "", EXECUTOR_CAPACITY: capacity = "10" } = process.env;
const { server, leave } = createExecutor({ handlers, token, capacity: Number(capacity) });
server.listen(Number(port), host, () => console.log(`listening on ${server.address().port}`));
process.once("SIGTERM", () => leave().then(() => process.exit(0)));
