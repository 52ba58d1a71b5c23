import assert from "node:assert/strict";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createTokenAccess } from "../../../src/runtime/token-access.ts";
import { failure, ok, scriptedTransport } from "../runtime/scripted-transport.ts";

const operator = "system:serviceaccount:nuptse-system:nuptse";

function bench(users: Readonly<Record<string, { readonly username: string; readonly groups?: readonly string[] }>>) {
  const clock = new VirtualClock(0);
  let down = false;
  const script = scriptedTransport((request) => {
    if (down) return failure(500, "InternalError");
    const body = request.body as { readonly spec: { readonly token: string } };
    const user = users[body.spec.token];
    return ok({ ...body, status: user === undefined ? { error: "unknown" } : { authenticated: true, user } }, 201);
  });
  const access = createTokenAccess({
    client: createKubeClient(script.transport),
    clock,
    allowed: { write: [operator], read: ["alice", "group:platform"] },
    audiences: ["nuptse-trace"],
  });
  return { clock, access, ...script, breakDown: () => (down = true) };
}

const users = {
  op: { username: operator },
  alice: { username: "alice" },
  bob: { username: "bob", groups: ["platform", "dev"] },
  eve: { username: "eve", groups: ["alice"] },
};

describe("runtime/token-access: who may do what, decision 29", () => {
  const cases = [
    { name: "the operator's account may write", token: "op", verb: "write", want: "allowed" },
    { name: "and not read, unless named for it", token: "op", verb: "read", want: "forbidden" },
    { name: "a user who is named may read", token: "alice", verb: "read", want: "allowed" },
    { name: "and not write", token: "alice", verb: "write", want: "forbidden" },
    { name: "a member of a group that is named may read", token: "bob", verb: "read", want: "allowed" },
    { name: "a group of a user's name is not the user", token: "eve", verb: "read", want: "forbidden" },
    { name: "a token that the cluster does not know is nobody's", token: "x", verb: "read", want: "unauthenticated" },
  ] as const;
  for (const tc of cases) it(tc.name, async () => assert.equal(await bench(users).access(tc.token, tc.verb), tc.want));

  it("asks the API server by a TokenReview for its audience, once a minute and token", async () => {
    const { access, sent, clock } = bench(users);
    await Promise.all([access("op", "write"), access("op", "write")]);
    await access("op", "write");
    assert.deepEqual(
      sent.map(({ path, body }) => [path, (body as { spec: unknown }).spec]),
      [["/apis/authentication.k8s.io/v1/tokenreviews", { token: "op", audiences: ["nuptse-trace"] }]],
    );
    await clock.runUntil(60_001);
    await access("op", "write");
    assert.equal(sent.length, 2);
  });

  it("a token that is unknown is asked about again after 10 s", async () => {
    const { access, sent, clock } = bench(users);
    await access("x", "read");
    await clock.runUntil(9000);
    await access("x", "read");
    assert.equal(sent.length, 1);
    await clock.runUntil(10_001);
    await access("x", "read");
    assert.equal(sent.length, 2);
  });

  it("an API server that does not answer is no answer about the bearer", async () => {
    const { access, breakDown } = bench(users);
    breakDown();
    await assert.rejects(access("op", "write"));
  });
});
