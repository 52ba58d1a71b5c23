import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dump, load } from "js-yaml";
import { tidy, whenEstablished } from "./kubectl.ts";
import type { Stage } from "./stages.ts";

interface Widget {
  readonly metadata: { readonly labels?: object; readonly annotations?: object; readonly generation: number };
  readonly spec: { readonly replicas: number; readonly color?: string; readonly parts?: readonly object[] };
  readonly status?: object;
}

const widget = (name: string, spec: object = {}, metadata: object = {}) =>
  dump({ apiVersion: "test.nuptse.dev/v1", kind: "Widget", metadata: { name, ...metadata }, spec });
const condition = (status: string) => JSON.stringify({ status: { conditions: [{ type: "Ready", status }] } });

/**
 * What people do with kubectl, and what it says: commands with literal answers that hold for every API server, so that the same table is played
 * on the embedded one and on the real one. Every test has objects of its own; the kind Widget (testdata/widgets.yaml) is there.
 */
export function describeTranscripts(stage: () => Stage): void {
  const ok = (args: string, input?: string) => stage().kubectl.ok(args.split(" "), input);
  const fails = (args: string, input?: string) => stage().kubectl.fails(args.split(" "), input);
  const get = async (name: string) => JSON.parse(await ok(`get widget ${name} -o json`)) as Widget;
  const create = (name: string, spec: object = {}, metadata: object = {}) => ok("create -f -", widget(name, spec, metadata));

  describe("reading", () => {
    it("get prints the columns of the CRD", async () => {
      await create("columns", { replicas: 3, color: "red" });
      await ok(`patch widget columns --subresource=status --type=merge -p ${condition("True")}`);
      assert.deepEqual(tidy(await ok("get widget columns")), ["NAME | REPLICAS | READY | AGE", "columns | 3 | True | AGE"]);
      assert.deepEqual(tidy(await ok("get wd columns -o wide")), [
        "NAME | REPLICAS | READY | AGE | COLOR",
        "columns | 3 | True | AGE | red",
      ]);
    });
    it("get prints labels and selects by them", async () => {
      await create("labelled-a", {}, { labels: { set: "labelled", tier: "a" } });
      await create("labelled-b", {}, { labels: { set: "labelled", tier: "b" } });
      const shown = await ok("get widgets -l set=labelled,tier!=a --show-labels");
      assert.deepEqual(tidy(shown), ["NAME | REPLICAS | READY | AGE | LABELS", "labelled-b | 1 | AGE | set=labelled,tier=b"]);
      assert.equal(
        await ok("get widgets -l set=labelled -o name"),
        "widget.test.nuptse.dev/labelled-a\nwidget.test.nuptse.dev/labelled-b\n",
      );
      assert.equal(await ok("get widgets --field-selector metadata.name=labelled-a -o name"), "widget.test.nuptse.dev/labelled-a\n");
    });
    it("get prints YAML, JSON and paths", async () => {
      await create("forms", { color: "blue" });
      const yaml = load(await ok("get widget forms -o yaml")) as { readonly apiVersion: string; readonly spec: object };
      assert.deepEqual([yaml.apiVersion, yaml.spec], ["test.nuptse.dev/v1", { color: "blue", replicas: 1 }]);
      assert.equal((await get("forms")).spec.color, "blue");
      assert.equal(await ok("get widget forms -o jsonpath={.spec.color}"), "blue");
      assert.equal(await ok("get widget forms -o custom-columns=C:.spec.color --no-headers"), "blue\n");
    });
    it("get sorts, which takes whole objects in the table", async () => {
      await create("sorted-1", { replicas: 9 }, { labels: { set: "sorted" } });
      await create("sorted-2", { replicas: 4 }, { labels: { set: "sorted" } });
      const rows = tidy(await ok("get widgets -l set=sorted --sort-by=.spec.replicas --no-headers"));
      assert.deepEqual(
        rows.map((row) => row.split(" ")[0]),
        ["sorted-2", "sorted-1"],
      );
    });
    it("get pages", async () => {
      for (const name of ["paged-1", "paged-2", "paged-3"]) await create(name, {}, { labels: { set: "paged" } });
      const rows = tidy(await ok("get widgets -l set=paged --chunk-size=2 --no-headers"));
      assert.deepEqual(
        rows.map((row) => row.split(" ")[0]),
        ["paged-1", "paged-2", "paged-3"],
      );
    });
    it("get says what is not there", async () => {
      assert.equal(await fails("get widget nothing"), 'Error from server (NotFound): widgets.test.nuptse.dev "nothing" not found\n');
      assert.match(await fails("get nothings"), /the server doesn't have a resource type "nothings"/);
      assert.match(await fails("get widgets --field-selector spec.nope=1"), /field label not supported: spec.nope/);
    });
    it("get -w prints what there is, and then every change", async () => {
      await create("watched", { replicas: 1 });
      const watch = stage().kubectl.start(["get", "widget", "watched", "-w", "--no-headers"]);
      const [first = ""] = tidy(await watch.line());
      await ok('patch widget watched --type=merge -p {"spec":{"replicas":7}}');
      const [second = ""] = tidy(await watch.line());
      await watch.stop();
      assert.deepEqual(
        [first, second].map((row) => row.split(" | ").slice(0, 2)),
        [
          ["watched", "1"],
          ["watched", "7"],
        ],
      );
    });
    it("explain tells the fields", async () => {
      const kind = await ok("explain widget");
      assert.match(kind, /GROUP: +test\.nuptse\.dev\nKIND: +Widget\nVERSION: +v1\n/);
      assert.match(kind, /A widget for tests\./);
      assert.match(kind, /spec\t<Object> -required-\n +What the widget is to be\./);
      assert.match(await ok("explain widget.spec.color"), /FIELD: color <string>\nENUM:\n +red\n +green\n +blue\n[\s\S]*Its color\./);
      assert.match(await ok("explain widget.metadata"), /labels\t<map\[string\]string>/);
      assert.match(await ok("explain widget --recursive"), /parts\t<\[\]Object>\n +name\t<string> -required-/);
    });
    it("api-resources lists the kind with its short name", async () => {
      const listed = tidy(await ok("api-resources --api-group=test.nuptse.dev"));
      assert.deepEqual(listed, ["NAME | SHORTNAMES | APIVERSION | NAMESPACED | KIND", "widgets | wd | test.nuptse.dev/v1 | true | Widget"]);
    });
    it("auth can-i and get --raw are answered", async () => {
      assert.equal(await ok("auth can-i create widgets"), "yes\n");
      assert.equal(await ok("get --raw /readyz"), "ok");
    });
  });

  describe("describe", () => {
    it("shows an object with its events", async () => {
      await create("described", { color: "green" });
      const uid = await ok("get widget described -o jsonpath={.metadata.uid}");
      const event = {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: "described.1" },
        type: "Warning",
        reason: "Broken",
        action: "Watch",
        note: "it broke",
        eventTime: "2026-11-21T18:30:00.000000Z",
        reportingController: "tests",
        reportingInstance: "tests-1",
        regarding: { apiVersion: "test.nuptse.dev/v1", kind: "Widget", name: "described", namespace: stage().namespace, uid },
      };
      assert.equal(await ok("create -f -", dump(event)), "event.events.k8s.io/described.1 created\n");
      const text = await ok("describe widget described");
      assert.match(text, /^Name: +described\nNamespace: /);
      assert.match(text, /Spec:\n +Color: +green\n +Replicas: +1\n/);
      assert.match(text, /Events:\n +Type +Reason +Age +From +Message\n[^\n]+\n +Warning +Broken +\S+ +tests +it broke/);
      const ofObject = tidy(await ok("events --for widget/described --no-headers"))[0] ?? "";
      assert.match(ofObject, /Warning \| Broken \| Widget\/described \| it broke$/);
      const listed = tidy(await ok("get events --no-headers --field-selector reason=Broken"))[0] ?? "";
      assert.match(listed, /Warning \| Broken \| widget\/described \| it broke$/);
    });
    it("logs of a pod without a node are empty", async () => {
      await ok("run unplaced --image=busybox --restart=Never -- true");
      assert.equal(await ok("logs unplaced"), "");
      assert.equal(await ok("logs -f unplaced"), "");
      assert.match(await fails("logs unplaced -c other"), /container other is not valid for pod unplaced/);
    });
    it("shows a pod", async () => {
      const name = "described-pod";
      assert.equal(await ok(`run ${name} --image=busybox --restart=Never -- true`), `pod/${name} created\n`);
      assert.deepEqual(tidy(await ok(`get pod ${name}`)), ["NAME | READY | STATUS | RESTARTS | AGE", `${name} | 0/1 | Pending | 0 | AGE`]);
      assert.match(await ok(`describe pod ${name}`), /Containers:\n +described-pod:\n +Image: +busybox\n/);
      assert.match(await ok(`delete pod ${name} --now`), /^pod "described-pod" (force )?deleted/m);
    });
  });

  describe("creating and applying", () => {
    it("create names what it made, and refuses a second one", async () => {
      assert.equal(await create("made"), "widget.test.nuptse.dev/made created\n");
      assert.match(await fails("create -f -", widget("made")), /\(AlreadyExists\).*widgets.test.nuptse.dev "made" already exists/);
    });
    it("create makes up the end of a name", async () => {
      const manifest = { apiVersion: "test.nuptse.dev/v1", kind: "Widget", metadata: { generateName: "some-" }, spec: {} };
      assert.match(await ok("create -f -", dump(manifest)), /^widget\.test\.nuptse\.dev\/some-[a-z0-9]{5} created\n$/);
    });
    it("create refuses what the schema refuses, and says why", async () => {
      const said = await fails("create -f -", widget("bad", { replicas: -1, color: "pink" }));
      assert.match(said, /The Widget "bad" is invalid:/);
      assert.match(said, /spec.color: Unsupported value: "pink": supported values: "red", "green", "blue"/);
      assert.match(said, /spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0/);
    });
    it("create refuses unknown fields, unless told to warn or to look away", async () => {
      assert.match(await fails("create -f -", widget("strict", { colour: "red" })), /strict decoding error: unknown field "spec.colour"/);
      const warned = await stage().kubectl.run(["create", "--validate=warn", "-f", "-"], widget("warned", { colour: "red" }));
      assert.deepEqual([warned.code, warned.stderr], [0, 'Warning: unknown field "spec.colour"\n']);
      assert.deepEqual((await get("warned")).spec, { replicas: 1 });
      assert.equal(
        await ok("create --validate=ignore -f -", widget("ignored", { colour: "red" })),
        "widget.test.nuptse.dev/ignored created\n",
      );
    });
    it("create takes a list of objects", async () => {
      const one = load(widget("listed-1"));
      const list = {
        apiVersion: "v1",
        kind: "List",
        items: [one, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "listed-2" }, data: { a: "1" } }],
      };
      assert.equal(await ok("create -f -", dump(list)), "widget.test.nuptse.dev/listed-1 created\nconfigmap/listed-2 created\n");
      assert.deepEqual(tidy(await ok("get configmap listed-2")), ["NAME | DATA | AGE", "listed-2 | 1 | AGE"]);
    });
    it("apply creates, leaves alone, and changes", async () => {
      const says = "widget.test.nuptse.dev/applied";
      assert.equal(await ok("apply -f -", widget("applied", { replicas: 2, color: "red" })), `${says} created\n`);
      assert.equal(await ok("apply -f -", widget("applied", { replicas: 2, color: "red" })), `${says} unchanged\n`);
      assert.equal(await ok("apply -f -", widget("applied", { replicas: 3 })), `${says} configured\n`);
      const { spec, metadata } = await get("applied");
      assert.deepEqual([spec, metadata.generation], [{ replicas: 3 }, 2]);
    });
    it("apply --dry-run=server stores nothing", async () => {
      assert.match(await ok("apply --dry-run=server -f -", widget("dry")), /created \(server dry run\)/);
      assert.match(await fails("get widget dry"), /NotFound/);
    });
    it("diff shows what would change, and ends with 1", async () => {
      await ok("apply -f -", widget("differs", { replicas: 2 }));
      const { code, stdout } = await stage().kubectl.run(["diff", "-f", "-"], widget("differs", { replicas: 5 }));
      assert.equal(code, 1);
      assert.match(stdout, /^- {2}replicas: 2\n\+ {2}replicas: 5$/m);
      assert.equal((await get("differs")).spec.replicas, 2);
      assert.equal((await stage().kubectl.run(["diff", "-f", "-"], widget("differs", { replicas: 2 }))).code, 0);
    });
    it("apply --server-side owns fields, and refuses those of others", async () => {
      const says = "widget.test.nuptse.dev/owned serverside-applied\n";
      const parts = [{ name: "a", size: 1 }];
      assert.equal(await ok("apply --server-side -f -", widget("owned", { replicas: 2, parts })), says);
      assert.equal(await ok("apply --server-side -f -", widget("owned", { replicas: 2, parts })), says);
      const other = widget("owned", { replicas: 4, parts: [{ name: "b", size: 2 }] });
      const said = await fails("apply --server-side --field-manager=other -f -", other);
      assert.match(said, /Apply failed with 1 conflict: conflict with "kubectl": \.spec\.replicas/);
      assert.equal(await ok("apply --server-side --field-manager=other --force-conflicts -f -", other), says);
      assert.deepEqual((await get("owned")).spec, { replicas: 4, parts: [...parts, { name: "b", size: 2 }] });
      assert.equal(await ok("apply --server-side --field-manager=other -f -", widget("owned", { replicas: 4 })), says);
      assert.deepEqual((await get("owned")).spec, { replicas: 4, parts });
    });
    it("apply --server-side takes over what apply made", async () => {
      await ok("apply -f -", widget("taken", { replicas: 2, color: "red" }));
      assert.match(await ok("apply --server-side -f -", widget("taken", { replicas: 3 })), /serverside-applied/);
      assert.deepEqual((await get("taken")).spec, { replicas: 3 });
    });
    it("replace replaces", async () => {
      await create("replaced", { color: "red" });
      assert.equal(await ok("replace -f -", widget("replaced", { replicas: 8 })), "widget.test.nuptse.dev/replaced replaced\n");
      assert.deepEqual((await get("replaced")).spec, { replicas: 8 });
    });
    it("edit opens an editor and stores what it leaves", async () => {
      await create("edited", { color: "red" });
      await stage().kubectl.file("editor", '#!/bin/sh\nsed -i "s/color: red/color: blue/" "$1"\n');
      assert.equal(await ok("edit widget edited"), "widget.test.nuptse.dev/edited edited\n");
      assert.equal((await get("edited")).spec.color, "blue");
    });
  });

  describe("changing", () => {
    it("label and annotate set and remove", async () => {
      await create("marked");
      assert.equal(await ok("label widget marked tier=a"), "widget.test.nuptse.dev/marked labeled\n");
      assert.match(await fails("label widget marked tier=b"), /'tier' already has a value/);
      await ok("label widget marked tier=b --overwrite");
      assert.equal(await ok("annotate widget marked note=hello"), "widget.test.nuptse.dev/marked annotated\n");
      const { metadata } = await get("marked");
      assert.deepEqual([metadata.labels, metadata.annotations, metadata.generation], [{ tier: "b" }, { note: "hello" }, 1]);
      assert.equal(await ok("label widget marked tier-"), "widget.test.nuptse.dev/marked unlabeled\n");
      assert.equal((await get("marked")).metadata.labels, undefined);
    });
    it("patch takes merge and JSON patches, and says when nothing changed", async () => {
      await create("patched", { color: "red" });
      assert.equal(await ok('patch widget patched --type=merge -p {"spec":{"replicas":5}}'), "widget.test.nuptse.dev/patched patched\n");
      assert.equal(
        await ok('patch widget patched --type=json -p [{"op":"remove","path":"/spec/color"}]'),
        "widget.test.nuptse.dev/patched patched\n",
      );
      assert.match(await ok('patch widget patched --type=merge -p {"spec":{"replicas":5}}'), /patched \(no change\)/);
      assert.deepEqual((await get("patched")).spec, { replicas: 5 });
    });
    it("patch refuses a failed test, an invalid result and a strategic merge", async () => {
      await create("refusing");
      assert.match(
        await fails('patch widget refusing --type=json -p [{"op":"test","path":"/spec/replicas","value":9}]'),
        /invalid|rejected/i,
      );
      assert.match(await fails('patch widget refusing --type=merge -p {"spec":{"color":"pink"}}'), /Unsupported value: "pink"/);
      assert.match(
        await fails('patch widget refusing -p {"spec":{"replicas":5}}'),
        /strategic merge patch is not supported|application\/strategic-merge-patch/,
      );
    });
    it("patch --subresource=status touches the status only", async () => {
      await create("reported");
      const both = JSON.stringify({ spec: { replicas: 9 }, status: { replicas: 2 } });
      await ok(`patch widget reported --subresource=status --type=merge -p ${both}`);
      const { spec, status, metadata } = await get("reported");
      assert.deepEqual([spec.replicas, status, metadata.generation], [1, { replicas: 2 }, 1]);
    });
    it("scale sets the replicas, if they are as expected", async () => {
      await create("scaled", { replicas: 2 });
      assert.equal(await ok("scale widget scaled --replicas=3"), "widget.test.nuptse.dev/scaled scaled\n");
      assert.equal(await ok("scale widget scaled --current-replicas=3 --replicas=4"), "widget.test.nuptse.dev/scaled scaled\n");
      assert.match(await fails("scale widget scaled --current-replicas=3 --replicas=5"), /Expected replicas to be 3, was 4/);
      assert.equal((await get("scaled")).spec.replicas, 4);
    });
  });

  describe("waiting and deleting", () => {
    it("wait sees a condition that is there, and one that comes", async () => {
      await create("awaited");
      const waiting = stage().kubectl.start(["wait", "widget/awaited", "--for=condition=Ready", "--timeout=30s"]);
      await ok(`patch widget awaited --subresource=status --type=merge -p ${condition("False")}`);
      await ok(`patch widget awaited --subresource=status --type=merge -p ${condition("True")}`);
      assert.equal((await waiting.ended()).stdout, "widget.test.nuptse.dev/awaited condition met\n");
      assert.equal(await ok("wait widget/awaited --for=condition=Ready"), "widget.test.nuptse.dev/awaited condition met\n");
      assert.equal(await ok("wait widget/awaited --for=jsonpath={.spec.replicas}=1"), "widget.test.nuptse.dev/awaited condition met\n");
    });
    it("wait sees a deletion", async () => {
      await create("leaving");
      const waiting = stage().kubectl.start(["wait", "widget/leaving", "--for=delete", "--timeout=30s"]);
      assert.match(await ok("delete widget leaving"), /^widget.test.nuptse.dev "leaving" deleted/);
      assert.equal((await waiting.ended()).code, 0);
    });
    it("delete waits for finalizers", async () => {
      await create("held", {}, { finalizers: ["test.nuptse.dev/hold"] });
      assert.match(await ok("delete widget held --wait=false"), /"held" deleted/);
      const waiting = stage().kubectl.start(["delete", "widget", "held", "--timeout=30s"]);
      assert.match(await ok("get widget held -o jsonpath={.metadata.deletionTimestamp}"), /^20/);
      await ok('patch widget held --type=merge -p {"metadata":{"finalizers":null}}');
      assert.equal((await waiting.ended()).code, 0);
      assert.match(await fails("get widget held"), /NotFound/);
    });
    it("delete takes all that a selector matches", async () => {
      for (const name of ["gone-1", "gone-2"]) await create(name, {}, { labels: { set: "gone" } });
      assert.equal((await ok("delete widgets -l set=gone")).match(/deleted/g)?.length, 2);
      assert.equal(await ok("get widgets -l set=gone -o name"), "");
      assert.match(await fails("delete widget gone-1"), /NotFound/);
    });
    it("delete takes a way of cascading and a grace", async () => {
      await create("plain");
      assert.match(await ok("delete widget plain --cascade=background --grace-period=5"), /deleted/);
    });
    it("a CRD can be deleted, and takes its objects with it", async () => {
      const definition = (await readFile(new URL("testdata/widgets.yaml", import.meta.url), "utf8"))
        .replaceAll("test.nuptse.dev", "gone.nuptse.dev")
        .replace("shortNames: [wd]", "shortNames: [gw]");
      const name = "customresourcedefinition.apiextensions.k8s.io/widgets.gone.nuptse.dev";
      assert.equal(await ok("apply -f -", definition), `${name} created\n`);
      assert.equal(await ok("wait --for=condition=Established crd/widgets.gone.nuptse.dev --timeout=30s"), `${name} condition met\n`);
      await ok("create -f -", widget("x").replace("test.nuptse.dev", "gone.nuptse.dev"));
      assert.match(await ok("get crd widgets.gone.nuptse.dev"), /^NAME +CREATED AT\nwidgets.gone.nuptse.dev +20\d\d-/);
      assert.match(await ok("delete crd widgets.gone.nuptse.dev"), /deleted/);
      assert.match(
        await fails("get widgets.gone.nuptse.dev"),
        /doesn't have a resource type|could not find the requested resource|Unable to list/,
      );
    });
  });

  describe("ElasticJob", () => {
    const job = (name: string, spec: object = {}) =>
      dump({
        apiVersion: "nuptse.dev/v1alpha1",
        kind: "ElasticJob",
        metadata: { name },
        spec: { template: { spec: { containers: [{ name: "main", image: "busybox" }] } }, ...spec },
      });

    before(async () => {
      const definition = await readFile(new URL("../../crds/elasticjob.yaml", import.meta.url), "utf8");
      await ok("apply --server-side --force-conflicts -f -", definition);
      await whenEstablished(stage().kubectl, "elasticjobs.nuptse.dev");
    });

    it("is applied, shown and suspended", async () => {
      const says = "elasticjob.nuptse.dev/nightly";
      assert.equal(await ok("apply -f -", job("nightly", { schedule: { crons: ["30 2 * * *"] } })), `${says} created\n`);
      assert.equal(await ok('patch ej nightly --type=merge -p {"spec":{"suspend":true}}'), `${says} patched\n`);
      const [heads = "", row = ""] = tidy(await ok("get ej nightly -o wide"));
      assert.equal(
        heads,
        ["NAME", "SCHEDULE", "SUSPEND", "PROGRESS", "LAST-RUN", "LAST-FIRE", "NEXT", "READY", "AGE", "ZONE", "LAST-SUCCESS", "REASON"].join(
          " | ",
        ),
      );
      assert.match(row, /^nightly \| true \| AGE \| Etc\/UTC$/);
    });
    it("explains its fields", async () => {
      assert.match(await ok("explain ej.spec.schedule.crons"), /FIELD: crons <\[\]string>\n/);
      assert.match(await ok("explain ej.spec.sharding"), /total\t<integer>/);
    });
    it("refuses what its rules refuse", async () => {
      const said = await fails("create -f -", job("uneven", { sharding: { total: 3, parameters: ["a"] } }));
      assert.match(said, /spec\.sharding: Invalid value: .*must hold one parameter for each item/);
      assert.match(await fails("create -f -", job("no-crons", { schedule: { crons: [] } })), /spec\.schedule\.crons: Invalid value/);
      assert.match(await fails("create -f -", job("typo", { suspended: true })), /unknown field "spec\.suspended"/);
    });
  });
}
