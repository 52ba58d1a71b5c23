import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import { runnerApps } from "../../src/api/resource.ts";
import { formatSeconds } from "../../src/base/time.ts";
import { crashing, FleetStage, refOf, slow, template } from "./support/fleet-stage.ts";

/** A moment of a roll-out of web:2 over six instances of web:1, one besides at a time and none missing; and what the fleet is some minutes after an edit. */
interface Moment {
  readonly name: string;
  /** What the spec has besides. */
  readonly spec?: object;
  readonly reach: (fleet: FleetStage) => Promise<void>;
  /** In the order of {@link edits}; "mixed" = both, six in all. */
  readonly wants: readonly string[];
}

const minute = 60_000;
const half = { canary: { replicas: "50%" } };

const edits: readonly (readonly [string, object])[] = [
  ["scaled out to eight", { replicas: 8 }],
  ["scaled in to three", { replicas: 3 }],
  ["a new revision", { template: template("web:3") }],
  ["the template as it was before", { template: template("web:1") }],
  ["paused", { paused: true }],
];

const moments: readonly Moment[] = [
  {
    name: "the first new instance is not ready yet",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2", slow) });
      await fleet.advance(5_000);
      assert.equal(await fleet.images(), "web:1 x6, web:2 not ready x1");
    },
    wants: ["web:2 x8", "web:2 x3", "web:3 x6", "web:1 x6", "web:1 x5, web:2 x1"],
  },
  {
    name: "under way",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2") });
      await fleet.advance(25_000);
      assert.match(await fleet.images(), /web:1 x[2-5], web:2/);
    },
    wants: ["web:2 x8", "web:2 x3", "web:3 x6", "web:1 x6", "mixed"],
  },
  {
    name: "held at half by its canary",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2"), ...half });
      await fleet.advance(2 * minute);
      assert.equal((await fleet.status()).canary?.phase, "Held");
    },
    wants: ["web:1 x4, web:2 x4", "web:1 x1, web:2 x2", "web:1 x3, web:3 x3", "web:1 x6", "web:1 x3, web:2 x3"],
  },
  {
    name: "paused at half",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2"), ...half });
      await fleet.advance(2 * minute);
      await fleet.change({ paused: true, canary: null });
      await fleet.advance(5_000);
      assert.equal((await fleet.status()).canary?.phase, "Paused");
    },
    wants: ["web:1 x5, web:2 x3", "web:1 x1, web:2 x2", "web:1 x3, web:2 x3", "web:1 x3, web:2 x3", "web:1 x3, web:2 x3"],
  },
  {
    name: "paused by a failure",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2", crashing), ...half });
      await fleet.advance(2 * minute);
      assert.equal((await fleet.status()).canary?.phase, "AutoPaused");
    },
    wants: [
      "web:1 x8, web:2 not ready x1",
      "web:1 x3, web:2 not ready x1",
      "web:1 x3, web:3 x3",
      "web:1 x6",
      "web:1 x6, web:2 not ready x1",
    ],
  },
  {
    name: "taken back after a failure",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2", crashing), canary: { replicas: "50%", onFailure: { action: "Rollback" } } });
      await fleet.advance(2 * minute);
      assert.equal((await fleet.status()).canary?.phase, "RolledBack");
    },
    wants: ["web:1 x8", "web:1 x3", "web:1 x3, web:3 x3", "web:1 x6", "web:1 x6"],
  },
  {
    name: "under way while a node is taken",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2") });
      await fleet.cordon("n1");
      await fleet.advance(20_000);
      assert.match(await fleet.images(), /web:1.*web:2/);
    },
    wants: ["web:2 x8", "web:2 x3", "web:3 x6", "web:1 x6", "mixed"],
  },
  {
    name: "in place, while an instance is drained",
    spec: { inPlace: "IfPossible", evacuation: { connectionDrainSeconds: 15 } },
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2") });
      const isOut = async () => (await fleet.pods()).some(isDraining);
      for (let second = 0; second < 60 && !(await isOut()); second++) await fleet.advance(1_000);
      assert.ok(await isOut());
    },
    wants: ["web:2 x8", "web:2 x3", "web:3 x6", "web:1 x6", "mixed"],
  },
  {
    name: "restarted meanwhile",
    reach: async (fleet) => {
      await fleet.change({ template: template("web:2"), restartedAt: formatSeconds(fleet.stage.clock.now()) });
      await fleet.advance(25_000);
      assert.match(await fleet.images(), /web:1 x[2-5], web:2/);
    },
    wants: ["web:2 x8", "web:2 x3", "web:3 x6", "web:1 x6", "mixed"],
  },
];

/** Its readiness gate is closed. */
const isDraining = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "nuptse.dev/in-service" && is === "False") === true;

describe("an edit in the middle of a roll-out", function () {
  this.timeout(120_000);

  async function open({ reach, spec = {} }: Moment): Promise<FleetStage> {
    const fleet = await FleetStage.open();
    const retry = { sameNode: 1, otherNodes: 5, backoff: { initialSeconds: 1, maxSeconds: 5 } };
    await fleet.serve({ replicas: 6, minReadySeconds: 5, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }, retry, ...spec });
    await reach(fleet);
    return fleet;
  }

  for (const moment of moments) {
    const { wants } = moment;
    describe(moment.name, () => {
      for (const [index, [edit, spec]] of edits.entries())
        it(`${edit}: ${wants[index]}`, async () => {
          const fleet = await open(moment);
          const { replicas = 6 } = spec as { readonly replicas?: number };
          await fleet.change(spec);
          await fleet.advance(8 * minute);
          const images = await fleet.images();
          if (wants[index] === "mixed") assert.match(images, /^web:1 x[1-5], web:2 x[1-5]$/);
          else assert.equal(images, wants[index]);
          assert.ok(fleet.leastServing() >= Math.min(6, replicas), `${fleet.leastServing()} served`);
          const version = (await fleet.stage.get(runnerApps, refOf("web"))).metadata.resourceVersion;
          if (images.includes("not ready")) return;
          await fleet.advance(30 * minute);
          assert.equal((await fleet.stage.get(runnerApps, refOf("web"))).metadata.resourceVersion, version);
        });

      it("deleted: nothing is left, and nothing is made anew", async () => {
        const fleet = await open(moment);
        const { made } = fleet;
        await fleet.stage.delete(runnerApps, refOf("web"));
        await fleet.advance(3 * minute);
        assert.deepEqual([await fleet.images(), fleet.made], ["", made]);
      });
    });
  }
});
