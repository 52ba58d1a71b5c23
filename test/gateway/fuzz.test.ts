import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { configurationOf, renderFile, renderMap } from "../../src/haproxy/rules/configuration.ts";
import type { PublishedService } from "../../src/haproxy/rules/published-service.ts";
import { selectServices } from "../../src/haproxy/rules/selection.ts";
import { filesOf, type GatewaySettings } from "../../src/haproxy/rules/settings.ts";
import { makeService } from "../support/builders/published-service.ts";
import { patience } from "../support/patience.ts";
import { skipUnless } from "../support/skip.ts";

/** NUPTSE_FUZZ=100000 for the full count. */
const specs = Number(process.env["NUPTSE_FUZZ"] ?? 6000);
const perFile = 500;
const files = Math.ceil(specs / perFile);

/** Texts that mean something to HAProxy's parser, to its socket or to a terminal, among ordinary ones. */
const evil = fc.oneof(
  fc.constantFrom(
    "a\nglobal",
    "a\r\nbackend x",
    "a b",
    "a'b",
    'a"b',
    "a\\ b",
    "a#b",
    "a;b",
    "a<<",
    "$HOME",
    "%[src]",
    "${HOME}",
    "\0",
    "é",
    "-",
    "a".repeat(300),
    "",
  ),
  fc.string({ maxLength: 40, unit: "binary" }),
);
const label = fc.oneof({ weight: 80, arbitrary: fc.stringMatching(/^[a-z][a-z0-9-]{0,30}[a-z0-9]$/) }, { weight: 1, arbitrary: evil });
const host = fc.oneof(
  { weight: 80, arbitrary: fc.stringMatching(/^[a-z][a-z0-9-]{0,10}[a-z0-9]\.example$/) },
  { weight: 1, arbitrary: evil },
);
const path = fc.oneof(
  { weight: 60, arbitrary: fc.stringMatching(/^\/[A-Za-z0-9._~!$&()*+,=:@/-]{0,40}$/) },
  { weight: 1, arbitrary: evil },
);
const number = fc.oneof(
  { weight: 80, arbitrary: fc.integer({ min: 1, max: 100 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e21) },
);
const often = <T>(arbitrary: fc.Arbitrary<T>, usual: T) => fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary });
const instance = fc.record({
  uid: fc.oneof({ weight: 60, arbitrary: fc.uuid() }, { weight: 1, arbitrary: evil }),
  pod: label,
  address: fc.oneof({ weight: 60, arbitrary: fc.ipV4() }, { weight: 30, arbitrary: fc.ipV6() }, { weight: 1, arbitrary: evil }),
  port: fc.oneof(
    { weight: 60, arbitrary: fc.integer({ min: 1, max: 65_535 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, -1, 70_000, 1.5) },
  ),
  state: fc.constantFrom("ready" as const, "drain" as const, "maint" as const),
});
const service = fc
  .record({
    namespace: label,
    name: label,
    protocol: fc.constantFrom("TCP" as const, "HTTP" as const),
    hostnames: often(fc.array(host, { maxLength: 3 }), []),
    paths: often(
      fc.array(fc.record({ type: fc.constantFrom("Exact" as const, "PathPrefix" as const), value: path }), { maxLength: 3 }),
      [],
    ),
    balance: fc.constantFrom("RoundRobin" as const, "LeastConnections" as const),
    sticky: often(fc.boolean(), false),
    check: fc.record({
      type: fc.constantFrom("TCP" as const, "HTTP" as const),
      path,
      periodSeconds: number,
      failureThreshold: number,
      successThreshold: number,
    }),
    timeouts: fc.record({ connectSeconds: number, idleSeconds: number, tunnelSeconds: number }),
    maxConnections: number,
    slowStartSeconds: number,
    instances: fc.array(instance, { maxLength: 4 }),
    /** A TCP service with what only HTTP has is refused at once, which teaches little. */
    fitting: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ check, fitting, ...rest }): Omit<PublishedService, "port"> => {
    const fields = { ...makeService(), ...rest, healthCheck: check };
    return rest.protocol === "HTTP" || fitting === 0 ? fields : { ...fields, hostnames: [], paths: [], sticky: false };
  });

/** The keywords that our own rendering uses, of which each line of a file has to begin with one. */
const ours =
  /^(?:#.*|global|defaults|frontend (?:ports|http)|backend (?:tcp|http)_\d+(?: {2}# [a-z0-9-]+\/[a-z0-9-]+)?| {2}(?:description nuptse|stats (?:socket|timeout)|maxconn|tune\.pool-(?:low|high)-fd-ratio|hard-stop-after|mode|option (?:idle-close-on-response|tcpka|redispatch|forwardfor|httpchk)|retries|timeout (?:client|server|connect|check|queue|http-request|http-keep-alive|tunnel)|bind|tcp-request connection reject|use_backend|http-request (?:set-var|return|set-header X-Forwarded-Proto|disable-l7-retry)|balance|retry-on|cookie nuptse-instance|http-check send|server [a-z0-9.:-]+ \S+ check )(?: .*)?.*|)$/i;

describe("random services against HAProxy's own parser", function () {
  this.timeout(60_000 * patience * Math.max(1, specs / 6000));
  const program = skipUnless(() => ensureHaproxy("3.0"));

  it(`${files * perFile} of them: each is refused, or rendered so that HAProxy takes it, and no foreign directive appears`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "nuptse-fuzz-"));
    try {
      const settings: GatewaySettings = {
        folder,
        bind: ["127.0.0.1"],
        pools: [{ first: 20_000, last: 20_000 + perFile }],
        httpPort: 19_000,
        httpsPort: 19_001,
        maxConnections: 1000,
        gateways: 2,
        hardStopAfterSeconds: 60,
        sparePorts: 1,
      };
      const seed = Number(process.env["NUPTSE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
      let rendered = 0;
      for (let file = 0; file < files; file++) {
        const sample = fc.sample(service, { numRuns: perFile, seed: seed + file });
        const { services, problems } = selectServices(
          sample.map((fields, index) => ({ ...fields, port: settings.pools[0]!.first + index })),
          settings,
        );
        rendered += services.length;
        const configuration = configurationOf(services, new Set(), settings);
        const { text } = renderFile(configuration);
        const foreign = text.split("\n").filter((line) => !ours.test(line));
        assert.deepEqual(foreign.slice(0, 3), [], `seed ${seed + file}`);
        const paths = filesOf(settings);
        mkdirSync(folder, { recursive: true });
        for (const [name, entries] of configuration.maps) {
          const content = renderMap(entries);
          assert.equal(content.split("\n").length - 1, entries.size, "a map has a line an entry");
          assert.match(content, /^(?:\S+ (?:tcp|http)_\d+\n)*$/, `seed ${seed + file}`);
          writeFileSync(paths.maps[name], content);
        }
        writeFileSync(paths.configuration, text);
        const said = await check(program(), paths.configuration);
        assert.equal(said, "", `seed ${seed + file}`);
        assert.ok(problems.size > 0);
      }
      console.log(`      ${files * perFile} services, ${rendered} rendered, the others refused; seed ${seed}`);
      assert.ok(rendered > (files * perFile) / 10, "the sample is not all nonsense");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** What HAProxy has to say against a file; "" = nothing. */
function check(program: string, file: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, ["-c", "-q", "-f", file], (error, _stdout, stderr) => resolve(error === null ? "" : stderr.slice(0, 2000)));
  });
}
