import assert from "node:assert/strict";
import { addressProblem, parseReceivers, ReceiverError } from "../../../src/notify/receiver.ts";

const ops = { name: "ops", url: "https://alerts.example.com/nuptse" };
const allowedHosts = ["alerts.example.com", "*.chat.example.org"];

describe("the receivers in the operator's configuration", () => {
  it("have defaults for all but name and address", () => {
    assert.deepEqual(parseReceivers({ allowedHosts, receivers: [ops] }).receivers, [
      { ...ops, format: "JSON", timeoutMs: 10_000, perMinute: 60 },
    ]);
  });

  it("may have their address, key and token in files", () => {
    const chat = { name: "chat", format: "Slack", urlFile: "/secret/url", signingKeyFile: "/secret/key", bearerTokenFile: "/secret/token" };
    assert.deepEqual(parseReceivers({ allowedHosts, receivers: [{ ...chat, timeoutSeconds: 2, perMinute: 6 }] }).receivers, [
      { ...chat, timeoutMs: 2000, perMinute: 6 },
    ]);
  });

  const wrong: readonly { readonly name: string; readonly value: unknown; readonly want: RegExp }[] = [
    { name: "no mapping", value: [], want: /^the configuration: must be a mapping/ },
    {
      name: "an unknown field",
      value: { receivers: [], allowedHosts, hosts: [] },
      want: /^hosts: is not known; there are receivers and allowedHosts/,
    },
    { name: "no list of hosts", value: { receivers: [ops] }, want: /^allowedHosts: must be a list/ },
    {
      name: "an address for a host",
      value: { receivers: [], allowedHosts: ["https://a"] },
      want: /^allowedHosts\[0\]: must be a host such as/,
    },
    {
      name: "a host that is not allowed",
      value: { allowedHosts: ["other.example.com"], receivers: [ops] },
      want: /^receivers\[0\]\.url: its host alerts\.example\.com is not among allowedHosts/,
    },
    {
      name: "neither url nor urlFile",
      value: { allowedHosts, receivers: [{ name: "ops" }] },
      want: /^receivers\[0\]: must have exactly one of url and urlFile/,
    },
    { name: "both", value: { allowedHosts, receivers: [{ ...ops, urlFile: "/u" }] }, want: /^receivers\[0\]: must have exactly one/ },
    {
      name: "an unknown format",
      value: { allowedHosts, receivers: [{ ...ops, format: "Teams" }] },
      want: /^receivers\[0\]\.format: must be JSON or Slack/,
    },
    {
      name: "a typo",
      value: { allowedHosts, receivers: [{ ...ops, signingKey: "x" }] },
      want: /^receivers\[0\]\.signingKey: is not known; there are name,/,
    },
    {
      name: "a name that is none",
      value: { allowedHosts, receivers: [{ ...ops, name: "Ops team" }] },
      want: /^receivers\[0\]\.name: must consist of/,
    },
    { name: "a name twice", value: { allowedHosts, receivers: [ops, ops] }, want: /^receivers\[1\]\.name: "ops" is taken/ },
    {
      name: "a time-out of an hour",
      value: { allowedHosts, receivers: [{ ...ops, timeoutSeconds: 3600 }] },
      want: /^receivers\[0\]\.timeoutSeconds: must be a number from 1 to 60/,
    },
  ];
  for (const tc of wrong) {
    it(`${tc.name} is refused, with the path and what would be right`, () =>
      assert.throws(
        () => parseReceivers(tc.value),
        (error) => error instanceof ReceiverError && tc.want.test(error.message),
      ));
  }

  const addresses: readonly (readonly [string, boolean])[] = [
    ["https://alerts.example.com:8443/x?y=z", true],
    ["http://alerts.example.com/", true],
    ["https://a.b.chat.example.org/", true],
    ["https://chat.example.org/", false],
    ["https://evilchat.example.org/", false],
    ["https://alerts.example.com.evil.test/", false],
    ["https://alerts.example.com@evil.test/", false],
    ["ftp://alerts.example.com/", false],
    ["alerts.example.com", false],
  ];
  for (const [address, allowed] of addresses) {
    it(`${address} is ${allowed ? "allowed" : "refused"}`, () =>
      assert.equal(addressProblem(address, allowedHosts) === undefined, allowed));
  }
});
