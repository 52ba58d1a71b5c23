import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { readCrds, type Schema } from "../../hack/generate/crd.ts";
import { type MetricDescriptor, metricCatalogue } from "../../src/runtime/metric-catalogue.ts";
import { root } from "./support/chart.ts";

const files = join(root, "charts/nuptse/files");
const read = (name: string) => readFileSync(join(files, name), "utf8");

interface AlertGroup {
  readonly name: string;
  readonly rules: readonly { readonly alert: string; readonly expr: string; readonly annotations: { readonly summary: string } }[];
}
interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface StateResource {
  readonly groupVersionKind: { readonly kind: string; readonly version: string };
  readonly metricNamePrefix: string;
  readonly metrics: readonly {
    readonly name: string;
    readonly each: { readonly gauge: { readonly path: readonly string[]; readonly valueFrom?: readonly string[] } };
  }[];
}

const alerts = (name: string) => (load(read(name)) as readonly AlertGroup[]).flatMap(({ rules }) => rules);
const dashboard = JSON.parse(read("dashboard.json")) as { readonly panels: readonly Panel[] };
const state = (load(read("kube-state-metrics.yaml")) as { readonly spec: { readonly resources: readonly StateResource[] } }).spec.resources;
const catalogue = new Map<string, MetricDescriptor>(Object.entries(metricCatalogue));
const operations = readFileSync(join(root, "docs/operations.md"), "utf8");

/** A metric of the catalogue by the name of one of its series. */
function descriptorOf(series: string): MetricDescriptor | undefined {
  const histogram = catalogue.get(series.replace(/_(bucket|sum|count)$/, ""));
  return catalogue.get(series) ?? (histogram?.type === "histogram" ? histogram : undefined);
}

/** What is wrong with the names and labels of an expression. */
function strangers(expr: string): readonly string[] {
  return [...expr.matchAll(/\b(nuptse_[a-z_]+)(?:\{([^}]*)\})?/g)].flatMap(([, name = "", selector = ""]) => {
    const descriptor = descriptorOf(name);
    if (descriptor === undefined) return [name];
    const labels = [...selector.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label);
    return labels.filter((label) => !descriptor.labels.includes(label)).map((label) => `${name}{${label}}`);
  });
}

describe("alerts and dashboards of the chart", () => {
  it("ask for metrics and labels that the programs have", () => {
    const exprs = [
      ...alerts("alerts.yaml").map(({ expr }) => expr),
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    assert.ok(exprs.length > 30);
    assert.deepEqual(exprs.flatMap(strangers), []);
  });

  it("group by labels that the metrics have, or that Prometheus adds", () => {
    for (const expr of [
      ...alerts("alerts.yaml").map((alert) => alert.expr),
      ...dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr)),
    ]) {
      const known = new Set(["le", "pod", ...[...expr.matchAll(/nuptse_[a-z_]+/g)].flatMap(([name]) => descriptorOf(name)?.labels ?? [])]);
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
      assert.deepEqual(
        grouped.filter((label) => !known.has(label)),
        [],
        expr,
      );
    }
  });

  it("alerts on objects ask for what the configuration of kube-state-metrics makes", () => {
    const made = new Set(state.flatMap(({ metricNamePrefix, metrics }) => metrics.map(({ name }) => `${metricNamePrefix}_${name}`)));
    for (const { expr } of alerts("alerts-of-objects.yaml"))
      for (const [name] of expr.matchAll(/nuptse_[a-z_]+/g)) assert.ok(made.has(name), name);
  });

  it("kube-state-metrics is pointed at fields that the kinds have", () => {
    const crds = readCrds(root);
    for (const { groupVersionKind, metrics } of state) {
      const crd = crds.find(({ kind, version }) => kind === groupVersionKind.kind && version === groupVersionKind.version);
      assert.ok(crd !== undefined, groupVersionKind.kind);
      for (const { name, each } of metrics) {
        const at = fieldAt(crd.schema, each.gauge.path);
        assert.ok(at !== undefined, `${groupVersionKind.kind} ${name}: ${each.gauge.path.join(".")}`);
        if (each.gauge.valueFrom !== undefined) assert.ok(fieldAt(at.items ?? at, each.gauge.valueFrom) !== undefined, name);
      }
    }
  });

  it("docs/operations.md tells of every alert, and of every metric that one is about", () => {
    for (const name of ["alerts.yaml", "alerts-of-objects.yaml"])
      for (const { alert } of alerts(name)) assert.ok(operations.includes(`\`${alert}\``), `docs/operations.md does not tell of ${alert}`);
    for (const name of catalogue.keys()) assert.ok(operations.includes(`\`${name}\``), `docs/operations.md does not tell of ${name}`);
  });

  it("docs/operations.md tells of no alert and no metric that there is not", () => {
    const told = new Set([...alerts("alerts.yaml"), ...alerts("alerts-of-objects.yaml")].map(({ alert }) => alert));
    for (const [, alert = ""] of operations.matchAll(/`(Nuptse[A-Z][A-Za-z]+)`/g)) assert.ok(told.has(alert), alert);
    for (const [, name = ""] of operations.matchAll(/`(nuptse_[a-z_]+)`/g)) assert.ok(catalogue.has(name), name);
  });
});

function fieldAt(schema: Schema, path: readonly string[]): Schema | undefined {
  const [first, ...rest] = path;
  if (first === undefined) return schema;
  const next = schema.properties?.[first];
  return next === undefined ? undefined : fieldAt(next, rest);
}
