import assert from "node:assert/strict";
import { metricCatalogue, type MetricDescriptor } from "../../../src/runtime/metric-catalogue.ts";
import { metricsTable } from "../../../src/runtime/metrics-document.ts";
import { createPrometheusMetrics } from "../../../src/runtime/metrics.ts";

describe("metrics", () => {
  it("counts, sets and observes under the catalogue's names and labels", async () => {
    const metrics = await createPrometheusMetrics({ process: false });
    metrics.count("nuptse_api_writes_total", { verb: "create", resource: "pods" });
    metrics.count("nuptse_api_writes_total", { verb: "create", resource: "pods" }, 2);
    metrics.set("nuptse_leader", {}, 1);
    metrics.observe("nuptse_fire_delay_seconds", {}, 0.007);
    const text = await metrics.text();
    for (const line of [
      'nuptse_api_writes_total{verb="create",resource="pods"} 3',
      "nuptse_leader 1",
      'nuptse_fire_delay_seconds_bucket{le="0.005"} 0',
      'nuptse_fire_delay_seconds_bucket{le="0.01"} 1',
      "nuptse_fire_delay_seconds_sum 0.007",
      "nuptse_stray_pods_total 0",
    ]) {
      assert.ok(text.includes(`\n${line}\n`), `${line} is missing from\n${text}`);
    }
    assert.match(metrics.contentType, /^text\/plain/);
  });

  it("measures the process when it is told to", async () => {
    const metrics = await createPrometheusMetrics({ process: true });
    assert.match(await metrics.text(), /\nnodejs_eventloop_lag_seconds /);
  });

  it("keeps two registries apart", async () => {
    const [a, b] = [await createPrometheusMetrics({ process: false }), await createPrometheusMetrics({ process: false })];
    a.set("nuptse_leader", {}, 1);
    assert.match(await b.text(), /\nnuptse_leader 0\n/);
  });

  for (const [name, metric] of Object.entries(metricCatalogue) as [string, MetricDescriptor][]) {
    it(`names ${name} by Prometheus' habits`, () => {
      assert.match(name, /^nuptse_[a-z_]+$/);
      assert.equal(name.endsWith("_total"), metric.type === "counter");
      if (metric.type === "histogram") assert.match(name, /_seconds$/);
      assert.equal(metric.type === "histogram", metric.buckets !== undefined);
      assert.deepEqual(
        [...(metric.buckets ?? [])],
        [...(metric.buckets ?? [])].sort((a, b) => a - b),
      );
      for (const forbidden of ["job", "pod", "name", "namespace"]) assert.equal(metric.labels.includes(forbidden), false);
      assert.match(metric.help, /\.$/);
    });
  }

  it("makes the table of the document", () => {
    const table = metricsTable({
      nuptse_x_total: { type: "counter", labels: ["a", "b"], help: "Counts x." },
      nuptse_y: { type: "gauge", labels: [], help: "Is y." },
    });
    assert.equal(
      table,
      "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n| `nuptse_x_total` | counter | `a`, `b` | Counts x. |\n| `nuptse_y` | gauge |  | Is y. |\n",
    );
  });
});
