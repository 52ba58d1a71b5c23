import assert from "node:assert/strict";
import { CredentialsError } from "../../../../src/kube/cluster-access.ts";
import { TimedOutError, UnreachableError } from "../../../../src/kube/errors.ts";
import { editDistance, suggestionFor } from "../../../../src/cli/plugin/suggestion.ts";
import { makeJob } from "../../../support/builders/elastic-job.ts";
import { kubectlNuptse, refusal } from "./plugin-double.ts";

const named = (...names: readonly string[]) => ({
  "elasticjobs.nuptse.dev": names.map((name) => makeJob({}, { metadata: { name } })),
});

describe("cli/plugin failures", () => {
  const cases = [
    {
      name: "no such job, and one of a name like it",
      given: { objects: named("nightly-etl", "hello") },
      args: ["status", "nigthly-etl"],
      want: 'error: there is no ElasticJob "nigthly-etl" in namespace "tenant"; did you mean nightly-etl?',
    },
    {
      name: "no such job, and the beginning of one",
      given: { objects: named("nightly-etl", "hello") },
      args: ["why", "night"],
      want: 'error: there is no ElasticJob "night" in namespace "tenant"; did you mean nightly-etl?',
    },
    {
      name: "no such job, and none like it",
      given: { objects: named("a", "b") },
      args: ["history", "nightly"],
      want: 'error: there is no ElasticJob "nightly" in namespace "tenant"; there are a, b (kubectl get ej -n tenant)',
    },
    {
      name: "no job at all",
      given: {},
      args: ["status", "nightly"],
      want: 'error: there is no ElasticJob "nightly" in namespace "tenant": the namespace has none; name another one with -n, or see kubectl get ej -A',
    },
    {
      name: "a user without the right",
      given: {
        failures: {
          "get elasticjobs.nuptse.dev": refusal(
            403,
            "Forbidden",
            'elasticjobs.nuptse.dev "x" is forbidden: User "ann" cannot get resource "elasticjobs" in API group "nuptse.dev" in the namespace "tenant"',
          ),
        },
      },
      args: ["status", "x"],
      want: 'error: elasticjobs.nuptse.dev "x" is forbidden: User "ann" cannot get resource "elasticjobs" in API group "nuptse.dev" in the namespace "tenant": ask whoever administers the cluster for this right',
    },
    {
      name: "a cluster without the kind",
      given: {
        failures: {
          "list elasticjobs.nuptse.dev": refusal(
            404,
            "NotFound",
            "the server could not find the requested resource",
            "list elasticjobs.nuptse.dev in tenant",
            {},
          ),
        },
      },
      args: ["next"],
      want: "error: this cluster does not know the kind (list elasticjobs.nuptse.dev in tenant): install it with kubectl apply --server-side -f crds/, or name another cluster with --context",
    },
    {
      name: "a server that cannot be reached",
      given: {
        failures: {
          "get elasticjobs.nuptse.dev": new UnreachableError(
            "get elasticjobs.nuptse.dev tenant/x: cannot connect to the API server: connect ECONNREFUSED 127.0.0.1:6443",
          ),
        },
      },
      args: ["status", "x"],
      want: "error: the API server cannot be reached (connect ECONNREFUSED 127.0.0.1:6443): is it the right cluster (--context, --kubeconfig, KUBECONFIG), and is the network there?",
    },
    {
      name: "a server that does not answer",
      given: { failures: { "get elasticjobs.nuptse.dev": new TimedOutError("get x: no whole answer within 60 s") } },
      args: ["status", "x"],
      want: "error: the API server gave no answer: get x: no whole answer within 60 s; try again",
    },
    {
      name: "credentials that have ended",
      given: { failures: { "get elasticjobs.nuptse.dev": refusal(401, "Unauthorized", "Unauthorized") } },
      args: ["status", "x"],
      want: "error: the API server does not accept these credentials (401 Unauthorized): log in anew, or name another context with --context",
    },
    {
      name: "no way to a cluster",
      given: { failures: { "get elasticjobs.nuptse.dev": new CredentialsError("there is no kubeconfig /home/ann/.kube/config") } },
      args: ["status", "x"],
      want: "error: there is no kubeconfig /home/ann/.kube/config",
    },
  ];
  for (const tc of cases) {
    it(`${tc.name}: one line and exit code 1`, async () => {
      const { code, results, notes } = await kubectlNuptse(tc.args, tc.given);
      assert.deepEqual({ code, results, notes }, { code: 1, results: [], notes: [tc.want] });
    });
  }

  const misused = [
    { name: "a command that is not there", args: ["stauts"], want: /^error: unknown command 'stauts' \(Did you mean status\?\)$/ },
    { name: "no job", args: ["status"], want: /^error: missing required argument 'job'$/ },
    { name: "a format that is not there", args: ["history", "x", "-o", "xml"], want: /Allowed choices are json, yaml, wide, name/ },
    { name: "an option that is not there", args: ["logs", "x", "--folow"], want: /unknown option '--folow' \(Did you mean --follow\?\)/ },
    { name: "a set of items that is none", args: ["logs", "x", "-i", "3-1"], want: /-i, --item.*"3-1" must rise/ },
    { name: "a namespace that is none", args: ["next", "-n", "Not A Name"], want: /Write the name of a namespace/ },
  ];
  for (const tc of misused) {
    it(`${tc.name}: one line and exit code 2`, async () => {
      const { code, results, notes } = await kubectlNuptse(tc.args);
      assert.deepEqual({ code, results, lines: notes.length }, { code: 2, results: [], lines: 1 });
      assert.match(notes[0] ?? "", tc.want);
    });
  }
});

describe("cli/plugin suggestion", () => {
  const distances = [
    { from: "kitten", to: "sitting", want: 3 },
    { from: "ab", to: "ba", want: 1 },
    { from: "", to: "abc", want: 3 },
    { from: "same", to: "same", want: 0 },
  ];
  for (const tc of distances)
    it(`from "${tc.from}" to "${tc.to}" are ${tc.want} steps`, () => assert.equal(editDistance(tc.from, tc.to), tc.want));

  it("nothing is proposed that is far away", () => assert.equal(suggestionFor("backup", ["nightly", "report"]), undefined));
  it("the nearest one is proposed", () => assert.equal(suggestionFor("reprot", ["resort", "report"]), "report"));
});
