import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  budgets,
  canaryTarget,
  type FleetNumbers,
  type FleetSteps,
  fleetSteps,
  type Side,
} from "../../../../src/runnerapp/rules/fleet-arithmetic.ts";

interface Row {
  readonly name: string;
  /** Instances of each side as "living/available", or with those due as "living/available d1". */
  readonly update?: string;
  readonly others?: string;
  readonly numbers?: Partial<FleetNumbers>;
  /** Such as "+2 new, +1 old, -1u -1a new, -2u -1a old, due 1"; what is nothing is left out. */
  readonly want: string;
}

function sideOf(text = "0/0"): Side {
  const [counts = "", ...marks] = text.split(" ");
  const [living = 0, available = 0] = counts.split("/").map(Number);
  const mark = (letter: string) => Number(marks.find((each) => each.startsWith(letter))?.slice(1) ?? 0);
  return { living, available, due: mark("d") };
}

function stepsText({ create, remove, due }: FleetSteps): string {
  const removal = (side: "update" | "others", name: string) => {
    const { unavailable, available } = remove[side];
    const parts = [unavailable > 0 ? `-${unavailable}u` : "", available > 0 ? `-${available}a` : ""].filter(Boolean);
    return parts.length === 0 ? "" : `${parts.join(" ")} ${name}`;
  };
  const parts = [
    create.update > 0 ? `+${create.update} new` : "",
    create.stable > 0 ? `+${create.stable} old` : "",
    removal("update", "new"),
    removal("others", "old"),
    due > 0 ? `due ${due}` : "",
  ];
  return parts.filter(Boolean).join(", ") || "nothing";
}

/** Ten instances with the budgets of a Deployment's defaults: 25 % of 10 are 3 up and 2 down. */
function numbersOf({ update, others, numbers }: Row): FleetNumbers {
  const [mine, theirs] = [sideOf(update), sideOf(others)];
  const rolling = theirs.living > 0;
  const { replicas = 10, maxSurge = 3 } = numbers ?? {};
  return {
    replicas,
    target: 10,
    maxSurge,
    mostLiving: replicas + maxSurge,
    maxUnavailable: 2,
    rolling,
    heals: rolling,
    update: mine,
    others: theirs,
    draining: 0,
    mayCreate: Number.POSITIVE_INFINITY,
    ...numbers,
  };
}

const scaling: readonly Row[] = [
  { name: "a fleet that begins is created at once", want: "+10 new" },
  { name: "a whole fleet is left alone", update: "10/10", want: "nothing" },
  { name: "one that starts slowly is left alone", update: "10/0", want: "nothing" },
  { name: "what is missing is created", update: "7/7", want: "+3 new" },
  { name: "scale-in takes at once what keeps replicas - maxUnavailable available", update: "12/12", want: "-2a new" },
  { name: "of too many those go first that are not available", update: "12/11", want: "-1u -1a new" },
  { name: "scale-in of a fleet that starts takes what is not available", update: "14/5", want: "-4u new" },
  { name: "to nothing: all go", update: "10/10", numbers: { replicas: 0, target: 0 }, want: "-10a new" },
  { name: "no more is created than the queue leaves", update: "4/4", numbers: { mayCreate: 2 }, want: "+2 new" },
  { name: "nothing is created where the queue leaves nothing", update: "4/4", numbers: { mayCreate: 0 }, want: "nothing" },
];

const rolling: readonly Row[] = [
  { name: "a roll-out begins with the surge, and takes what may be unavailable", others: "10/10", want: "+3 new, -2a old" },
  { name: "the next ones wait until those serve", update: "5/0", others: "8/8", want: "nothing" },
  { name: "as soon as one serves, one of the old goes", update: "5/1", others: "8/8", want: "-1a old" },
  { name: "what goes makes room for new ones", update: "5/1", others: "7/7", want: "+1 new" },
  { name: "new ones that are broken stop it: no more of them come", update: "5/0", others: "8/8", want: "nothing" },
  { name: "the last old ones go when the new ones serve", update: "10/10", others: "3/3", want: "-3a old" },
  { name: "a roll-out without surge takes first", others: "10/10", numbers: { maxSurge: 0 }, want: "-2a old" },
  { name: "a roll-out without surge adds when there is room", others: "8/8", numbers: { maxSurge: 0 }, want: "+2 new" },
  { name: "a roll-out that may take none adds first", others: "10/10", numbers: { maxUnavailable: 0, maxSurge: 1 }, want: "+1 new" },
  {
    name: "a roll-out that may take none takes one when one serves",
    update: "1/1",
    others: "10/10",
    numbers: { maxUnavailable: 0, maxSurge: 1 },
    want: "-1a old",
  },
  { name: "old ones that do not serve go first", others: "10/8", want: "+3 new, -2u old" },
  {
    name: "old ones that only start are not all taken for a change that nobody has seen serve",
    others: "10/0",
    want: "+3 new, -2u old",
  },
  { name: "an old one that is lost is not made anew while enough are on their way", update: "3/0", others: "9/9", want: "+1 new, -1a old" },
  { name: "an old one that is lost is made anew when the new ones block", update: "5/0", others: "7/7", want: "+1 old" },
  { name: "and is not taken again as surplus", update: "5/0", others: "8/7", want: "nothing" },
  { name: "the way back takes new ones that do not serve first", update: "8/8", others: "5/0", want: "-5u old" },
  { name: "the way back never takes what serves of the old", update: "10/10", others: "2/0", want: "-2u old" },
  {
    name: "the only instance: another one serves before it goes",
    others: "1/1",
    numbers: { replicas: 1, target: 1, maxSurge: 1, maxUnavailable: 0 },
    want: "+1 new",
  },
  {
    name: "the only instance is made anew while the change is broken",
    update: "1/0",
    numbers: { replicas: 1, target: 1, maxSurge: 1, maxUnavailable: 0, rolling: true, heals: true },
    want: "+1 old",
  },
  {
    name: "without a stable revision nothing is healed",
    update: "5/0",
    others: "3/3",
    numbers: { heals: false },
    want: "nothing",
  },
  {
    name: "scaling out in the middle of a roll-out",
    update: "5/5",
    others: "5/5",
    numbers: { replicas: 20, target: 20 },
    want: "+5 new, +8 old",
  },
  {
    name: "scaling in in the middle of a roll-out takes old ones",
    update: "5/5",
    others: "5/5",
    numbers: { replicas: 5, target: 5 },
    want: "-5a old",
  },
  {
    name: "scaling in around new ones that are broken: what the surge does not hold of them goes with the old ones",
    update: "5/0",
    others: "8/8",
    numbers: { replicas: 5, target: 5, maxSurge: 2, maxUnavailable: 1 },
    want: "-2u new, -4a old",
  },
  {
    name: "and then it stays so, until they serve",
    update: "3/0",
    others: "4/4",
    numbers: { replicas: 5, target: 5, maxSurge: 2, maxUnavailable: 1 },
    want: "nothing",
  },
  {
    name: "a surge that moves have taken takes nothing from new ones that begin",
    update: "2/0",
    others: "9/9",
    numbers: { maxSurge: 0, mostLiving: 13 },
    want: "-1a old",
  },
];

const canary: readonly Row[] = [
  { name: "a canary of one comes as surge", others: "10/10", numbers: { target: 1 }, want: "+1 new, -1a old" },
  { name: "at its share nothing moves", update: "1/1", others: "9/9", numbers: { target: 1 }, want: "nothing" },
  {
    name: "a canary that does not serve yet keeps one old one less from going",
    update: "1/0",
    others: "9/9",
    numbers: { target: 1 },
    want: "nothing",
  },
  {
    name: "beyond its share new instances are of the stable revision",
    update: "1/1",
    others: "9/9",
    numbers: { replicas: 14, target: 1 },
    want: "+4 old",
  },
  { name: "a lower share takes new ones back", update: "5/5", others: "5/5", numbers: { target: 2 }, want: "+3 old, -2a new" },
  {
    name: "of a lower share those that do not serve go first",
    update: "5/4",
    others: "5/5",
    numbers: { target: 2 },
    want: "+3 old, -1u -1a new",
  },
  { name: "a canary that is lost comes back", update: "0/0", others: "9/9", numbers: { target: 1 }, want: "+1 new" },
  { name: "paused at none: a lost one is of the stable revision", others: "9/9", numbers: { target: 0 }, want: "+1 old" },
];

const replacing: readonly Row[] = [
  { name: "a restart of all adds the surge and takes what may be unavailable", update: "10/10 d10", want: "+3 new, due 2" },
  { name: "a restart waits until the new ones serve", update: "11/8 d8", want: "+2 new" },
  {
    name: "a restart beside a canary: what comes for the old ones is no surplus of them",
    update: "1/1",
    others: "4/3 d3",
    numbers: { replicas: 4, target: 1, maxSurge: 1, maxUnavailable: 0 },
    want: "nothing",
  },
  {
    name: "a change in the middle of a restart that fails: what was made for the restart and does not serve makes room",
    others: "6/4 d4",
    numbers: { replicas: 4, target: 4, maxSurge: 2, maxUnavailable: 0 },
    want: "-2u old",
  },
  {
    name: "a restart beside a canary that fails: what is made for the old one stays until it serves",
    update: "1/0",
    others: "8/7 d1",
    numbers: { replicas: 7, target: 1, maxSurge: 2, maxUnavailable: 0 },
    want: "nothing",
  },
  {
    name: "what still drains takes its place: no more come besides than the surge leaves",
    update: "2/2 d2",
    numbers: { replicas: 4, target: 4, maxSurge: 1, maxUnavailable: 2, draining: 2 },
    want: "+1 new",
  },
  { name: "a restart without surge takes first", update: "10/10 d10", numbers: { maxSurge: 0 }, want: "due 2" },
  {
    name: "a restart that may take none takes when another one serves",
    update: "11/11 d10",
    numbers: { maxSurge: 1, maxUnavailable: 0 },
    want: "due 1",
  },
];

describe("the arithmetic of a fleet", () => {
  for (const [title, rows] of Object.entries({ scaling, rolling, canary, replacing })) {
    describe(title, () => {
      for (const row of rows) it(row.name, () => assert.equal(stepsText(fleetSteps(numbersOf(row))), row.want));
    });
  }

  const sideUpTo = (most: number) =>
    fc
      .record({ living: fc.nat(most), available: fc.nat(most), due: fc.nat(most) })
      .filter(({ living, available, due }) => available <= living && due <= available);
  const numbersUpTo = (most: number) =>
    fc
      .record({
        replicas: fc.nat(most),
        target: fc.nat(most),
        maxSurge: fc.nat(Math.ceil(most / 3)),
        maxUnavailable: fc.nat(Math.ceil(most / 3)),
        rolling: fc.boolean(),
        heals: fc.boolean(),
        update: sideUpTo(most),
        others: sideUpTo(most),
        mayCreate: fc.nat(most),
      })
      .map((numbers) => ({
        ...numbers,
        mostLiving: numbers.replicas + numbers.maxSurge,
        draining: 0,
        rolling: numbers.rolling || numbers.others.living > 0,
      }));
  const anyNumbers = numbersUpTo(30);

  it("never takes what would leave fewer than replicas - maxUnavailable available, and never more than there is", () => {
    void fc.assert(
      fc.property(anyNumbers, (numbers) => {
        const { remove, due } = fleetSteps(numbers);
        const available = numbers.update.available + numbers.others.available;
        const taken = remove.update.available + remove.others.available + due;
        const least = numbers.replicas - numbers.maxUnavailable;
        assert.ok(taken === 0 || available - taken >= Math.min(least, available), `${taken} of ${available}`);
        for (const name of ["update", "others"] as const) {
          assert.ok(remove[name].available <= numbers[name].available);
          assert.ok(remove[name].unavailable <= numbers[name].living - numbers[name].available);
        }
      }),
    );
  });

  it("chooses anew what it has taken out of service, as long as nothing else happens", () => {
    const calm = (side: Side): Side => ({ ...side, due: 0 });
    void fc.assert(
      fc.property(anyNumbers, (drawn) => {
        const numbers = { ...drawn, update: calm(drawn.update), others: calm(drawn.others) };
        const { create, remove } = fleetSteps(numbers);
        const later = (side: Side, made: number, { unavailable, available }: typeof remove.update): Side => ({
          living: side.living + made - unavailable,
          available: side.available - available,
          due: 0,
        });
        const next = fleetSteps({
          ...numbers,
          update: later(numbers.update, create.update, remove.update),
          others: later(numbers.others, create.stable, remove.others),
          mayCreate: numbers.mayCreate - create.update - create.stable,
        });
        for (const name of ["update", "others"] as const) assert.ok(next.remove[name].unavailable >= remove[name].available, name);
      }),
    );
  });

  const becoming: readonly {
    readonly name: string;
    readonly update?: string;
    readonly numbers?: Partial<FleetNumbers>;
    readonly want: number;
  }[] = [
    { name: "without a surge as many others may become new ones as may be unavailable", want: 2 },
    { name: "none while those before do not serve", update: "2/0", want: 0 },
    { name: "the next ones when they do", update: "2/2", want: 2 },
    { name: "no more than a canary asks for", update: "2/2", numbers: { target: 3 }, want: 1 },
    { name: "what is created is not missing", numbers: { maxSurge: 3 }, want: 2 },
  ];
  for (const { name, update, numbers, want } of becoming)
    it(`in place: ${name}`, () => {
      const others = `${10 - sideOf(update).living}/${10 - sideOf(update).living}`;
      const row = { name, ...(update !== undefined && { update }), others, numbers: { maxSurge: 0, ...numbers }, want: "" };
      assert.equal(fleetSteps(numbersOf(row)).short, want);
    });

  it("never makes more than replicas + maxSurge, nor more than the queue leaves", () => {
    void fc.assert(
      fc.property(anyNumbers, (numbers) => {
        const { create } = fleetSteps(numbers);
        const made = create.update + create.stable;
        const living = numbers.update.living + numbers.others.living;
        assert.ok(made <= numbers.mayCreate);
        assert.ok(made === 0 || living + made <= numbers.replicas + numbers.maxSurge);
        assert.ok(create.update >= 0 && create.stable >= 0);
      }),
    );
  });

  it("never removes what it has just made, while nothing else has changed", () => {
    void fc.assert(
      fc.property(numbersUpTo(5), (numbers) => {
        const first = fleetSteps(numbers);
        const left = { update: 0, others: 0 };
        const sideAfter = (name: "update" | "others", made: number): Side => {
          const { living, available, due } = numbers[name];
          const gone = first.remove[name];
          left[name] = living - available - gone.unavailable;
          // Those due go first of what is available.
          const dueLeft = Math.max(0, due - gone.available);
          return { living: living - gone.unavailable - gone.available + made, available: available - gone.available, due: dueLeft };
        };
        const next = { update: sideAfter("update", first.create.update), others: sideAfter("others", first.create.stable) };
        const second = fleetSteps({ ...numbers, ...next, rolling: numbers.rolling || next.others.living > 0 });
        for (const name of ["update", "others"] as const)
          assert.ok(second.remove[name].unavailable <= left[name], `${name}: ${stepsText(first)}, then ${stepsText(second)}`);
      }),
      { numRuns: 2000 },
    );
  });

  it("comes to rest with what is wanted, when all that is made serves", () => {
    const start = fc.record({
      replicas: fc.nat(20),
      share: fc.nat(100),
      maxSurge: fc.nat(5),
      maxUnavailable: fc.nat(5),
      update: fc.nat(25),
      others: fc.nat(25),
    });
    void fc.assert(
      fc.property(start, ({ replicas, share, maxSurge, maxUnavailable, update, others }) => {
        const target = canaryTarget(replicas, `${share}%`);
        const pools = maxSurge + maxUnavailable === 0 ? { maxSurge, maxUnavailable: 1 } : { maxSurge, maxUnavailable };
        let [mine, theirs] = [update, others];
        for (let step = 0; step < 200; step++) {
          const all = (living: number): Side => ({ living, available: living, due: 0 });
          const { create, remove } = fleetSteps({
            replicas,
            target,
            ...pools,
            mostLiving: replicas + maxSurge,
            draining: 0,
            rolling: true,
            heals: true,
            update: all(mine),
            others: all(theirs),
            mayCreate: Number.POSITIVE_INFINITY,
          });
          const next = [
            mine + create.update - remove.update.available - remove.update.unavailable,
            theirs + create.stable - remove.others.available - remove.others.unavailable,
          ] as const;
          if (next[0] === mine && next[1] === theirs) break;
          [mine, theirs] = next;
        }
        assert.deepEqual([mine, theirs], [target, replicas - target]);
      }),
    );
  });
});

describe("shares of a fleet", () => {
  const targets: readonly [string, number, number | string, number][] = [
    ["a share is rounded up", 15, "10%", 2],
    ["at least one above nothing", 3, "1%", 1],
    ["all but one below all of them", 10, "99%", 9],
    ["all", 10, "100%", 10],
    ["none", 10, "0%", 0],
    ["a number", 10, 3, 3],
    ["a number that is more than there are", 10, 30, 10],
    ["one of one is all or nothing: the change goes first", 1, "50%", 1],
    ["of none none", 0, "50%", 0],
    ["29 % of 100 are 29, without an error of fractions", 100, "29%", 29],
  ];
  for (const [name, replicas, share, want] of targets) it(`canary: ${name}`, () => assert.equal(canaryTarget(replicas, share), want));

  const pools: readonly [string, number, number | string, number | string, [number, number]][] = [
    ["surge up, unavailable down", 10, "25%", "25%", [3, 2]],
    ["of one: one more, none less", 1, "25%", "25%", [1, 0]],
    ["both nothing: one may be unavailable", 10, 0, 0, [0, 1]],
    ["a share that rounds to nothing counts as nothing", 3, 0, "25%", [0, 1]],
    ["never more unavailable than there are", 2, 0, 5, [0, 2]],
  ];
  for (const [name, replicas, surge, unavailable, [wantSurge, wantUnavailable]] of pools)
    it(`budgets: ${name}`, () =>
      assert.deepEqual(budgets(replicas, surge, unavailable), { maxSurge: wantSurge, maxUnavailable: wantUnavailable }));
});
