import assert from "node:assert/strict";
import type { Fleet } from "../../../src/api/fleet.ts";
import { hasNoPod } from "../../../src/api/fleet.ts";
import type { RunnerApp, RunnerAppSpec } from "../../../src/api/runner-app.gen.ts";
import { ObjectStore } from "../../../src/kube/store.ts";
import { FleetDirectory } from "../../../src/runnerapp/fleets.ts";
import { type FleetSlice, fleetSlice } from "../../../src/runnerapp/rules/fleet-slice.ts";
import type { InstancePod } from "../../../src/runnerapp/rules/instance.ts";
import { type AppIndex, appIndexes } from "../../../src/runnerapp/services/app-index.ts";
import { runnerApp } from "../../support/builders/runner-app.ts";

const ref = { namespace: "tenant", name: "web" };
const executor = { port: 9999 };

/** The directory over stores that a test fills. */
class DirectoryBench {
  readonly apps = new ObjectStore<RunnerApp, AppIndex>(appIndexes);
  readonly slices = new ObjectStore<FleetSlice, "service">({ service: ({ service }) => [service] });
  readonly changed: string[] = [];
  readonly directory = new FleetDirectory({
    apps: () => this.apps,
    pods: () => new ObjectStore<InstancePod, "app" | "node">({ app: () => [], node: () => [] }),
    slices: () => this.slices,
    onChange: ({ name }) => this.changed.push(name),
  });
  #version = 10;

  app(spec: Partial<RunnerAppSpec>): this {
    const app = runnerApp({ spec });
    const metadata = { ...app.metadata, resourceVersion: String(++this.#version) };
    for (const change of this.apps.put({ ...app, metadata })) this.directory.seeApp(change);
    return this;
  }

  slice(name: string, service: string, addresses: readonly string[]): this {
    for (const change of this.slices.put(this.#slice(name, service, addresses))) this.directory.seeSlice(change);
    return this;
  }

  /** The first list of slices. */
  listed(...slices: readonly (readonly [name: string, service: string, address: string])[]): this {
    const objects = slices.map(([name, service, address]) => this.#slice(name, service, [address]));
    for (const change of this.slices.swap(objects, String(++this.#version))) this.directory.seeSlice(change);
    this.directory.slicesRead();
    return this;
  }

  gone(name: string): this {
    const known = this.slices.get("tenant", name) as FleetSlice;
    const metadata = { ...known.metadata, resourceVersion: String(++this.#version) };
    for (const change of this.slices.remove({ ...known, metadata })) this.directory.seeSlice(change);
    return this;
  }

  instances(): readonly string[] | string {
    const fleet = this.directory.fleet(ref);
    return typeof fleet === "string" ? fleet : (fleet as Fleet).instances.map(({ id }) => id);
  }

  #slice(name: string, service: string, addresses: readonly string[]): FleetSlice {
    const labels = { "kubernetes.io/service-name": service };
    const metadata = { name, namespace: "tenant", uid: `uid-${name}`, resourceVersion: String(++this.#version), labels };
    return fleetSlice({ metadata, addressType: "IPv4", endpoints: addresses.map((address) => ({ addresses: [address] })) });
  }
}

const theirs = { template: undefined as never, endpoints: { serviceName: "machines" }, executor };

describe("fleets that take tasks", () => {
  it("of one that somebody else runs nothing is known before the slices have been listed, and whoever waits is told then", () => {
    const bench = new DirectoryBench().app(theirs);
    assert.equal(bench.instances(), "unread");
    bench.changed.splice(0);
    bench.listed();
    assert.deepEqual(bench.changed, ["web"], "also where its Service has no slice");
    assert.deepEqual(bench.instances(), []);
  });

  it("it has the instances of all slices of its Service, and of no other", () => {
    const bench = new DirectoryBench()
      .app(theirs)
      .listed(["a", "machines", "10.0.0.1"], ["b", "others", "10.0.0.2"], ["c", "machines", "10.0.0.3"]);
    assert.deepEqual(bench.instances(), ["10.0.0.1", "10.0.0.3"]);
  });

  it("who comes, goes or moves to another Service is told of, what changes nothing is not", () => {
    const bench = new DirectoryBench().app(theirs).listed(["a", "machines", "10.0.0.1"]);
    const told = (act: () => void) => {
      bench.changed.splice(0);
      act();
      return [bench.changed.length, bench.instances()];
    };
    assert.deepEqual(
      told(() => bench.slice("a", "machines", ["10.0.0.1"])),
      [0, ["10.0.0.1"]],
    );
    assert.deepEqual(
      told(() => bench.slice("a", "machines", ["10.0.0.1", "10.0.0.2"])),
      [1, ["10.0.0.1", "10.0.0.2"]],
    );
    assert.deepEqual(
      told(() => bench.slice("b", "others", ["10.0.0.9"])),
      [0, ["10.0.0.1", "10.0.0.2"]],
    );
    assert.deepEqual(
      told(() => bench.slice("a", "others", ["10.0.0.1", "10.0.0.2"])),
      [1, []],
    );
    assert.deepEqual(
      told(() => bench.slice("c", "machines", ["10.0.0.3"])),
      [1, ["10.0.0.3"]],
    );
    assert.deepEqual(
      told(() => bench.gone("c")),
      [1, []],
    );
  });

  it("another Service is another fleet", () => {
    const bench = new DirectoryBench().app(theirs).listed(["a", "machines", "10.0.0.1"], ["b", "others", "10.0.0.2"]);
    assert.deepEqual(bench.instances(), ["10.0.0.1"]);
    bench.changed.splice(0);
    bench.app({ ...theirs, endpoints: { serviceName: "others" } });
    assert.deepEqual([bench.changed, bench.instances()], [["web"], ["10.0.0.2"]]);
  });

  it("one that is only published takes no tasks, and a fleet of its own needs no slices", () => {
    assert.equal(new DirectoryBench().app({ ...theirs, executor: undefined as never }).instances(), "noExecutor");
    assert.deepEqual(new DirectoryBench().app({ executor }).instances(), []);
    assert.equal(new DirectoryBench().instances(), "missing");
  });

  it("an address is told from the UID of a pod", () => {
    for (const address of ["10.0.0.1", "fd00::1", "::"]) assert.equal(hasNoPod(address), true, address);
    for (const uid of ["0d9a7f3e-9c51-4b0e-8c0a-6a2f0e3f8f11", "uid-workers-0"]) assert.equal(hasNoPod(uid), false, uid);
  });
});
