import assert from "node:assert/strict";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { createTokenSource } from "../../../../src/elasticjob/dispatch/token-source.ts";
import type { KubeClient } from "../../../../src/kube/client.ts";
import { Forbidden, NotFound } from "../../../../src/kube/errors.ts";

const encoded = (text: string): string => Buffer.from(text).toString("base64");
const refusal = (status: number) => ({ request: "get secrets tenant/workers-token", status, reason: "", text: "s3cret" });
/** A read that fails. */
const failing = (error: Error) => () => {
  throw error;
};

describe("tokens of executors", () => {
  const clock = new VirtualClock(0);
  let stored: () => unknown = () => ({});
  let reads = 0;
  const get = (async () => {
    reads++;
    return stored();
  }) as unknown as KubeClient["get"];
  const ref = { name: "workers-token", key: "token" };

  beforeEach(() => {
    reads = 0;
  });

  it("none is wanted where none is named, and nothing is read", async () => {
    assert.deepEqual(await createTokenSource({ get }, clock)("tenant", undefined), { token: undefined });
    assert.equal(reads, 0);
  });

  it("is what the key holds, without the line's end that editors leave", async () => {
    stored = () => ({ data: { token: encoded("s3cret\n") } });
    assert.deepEqual(await createTokenSource({ get }, clock)("tenant", ref), { token: "s3cret" });
  });

  it("is read anew after half a minute", async () => {
    const source = createTokenSource({ get }, clock);
    stored = () => ({ data: { token: encoded("old") } });
    await source("tenant", ref);
    stored = () => ({ data: { token: encoded("new") } });
    await clock.runUntil(29_999);
    assert.deepEqual(await source("tenant", ref), { token: "old" });
    await clock.runUntil(30_000);
    assert.deepEqual(await source("tenant", ref), { token: "new" });
    assert.equal(reads, 2);
  });

  const troubles: readonly { readonly name: string; readonly stored: () => unknown; readonly words: RegExp }[] = [
    {
      name: "a key that is not there",
      stored: () => ({ data: {} }),
      words: /^there is no token under the key token of the Secret workers-token/,
    },
    { name: "a Secret that is not there", stored: failing(new NotFound(refusal(404))), words: /the Secret does not exist$/ },
    { name: "a right that is missing", stored: failing(new Forbidden(refusal(403))), words: /a Role of this namespace must allow it/ },
    { name: "anything else", stored: failing(new Error("s3cret")), words: /could not be read$/ },
  ];
  for (const { name, stored: given, words } of troubles)
    it(`${name}: people are told, and nothing else`, async () => {
      stored = given;
      const answer = await createTokenSource({ get }, clock)("tenant", ref);
      const text = "trouble" in answer ? answer.trouble : "";
      assert.match(text, words);
      assert.ok(!text.includes("s3cret"));
    });
});
