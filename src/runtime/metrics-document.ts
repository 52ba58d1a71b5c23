import type { MetricDescriptor } from "./metric-catalogue.ts";
import { metricCatalogue } from "./metric-catalogue.ts";

/** The table of docs/metrics.md, one line a metric, in the order of the catalogue. */
export function metricsTable(catalogue: Readonly<Record<string, MetricDescriptor>> = metricCatalogue): string {
  const rows = Object.entries(catalogue).map(([name, metric]) => {
    const labels = metric.labels.length === 0 ? "" : metric.labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${metric.type} | ${labels} | ${metric.help} |`;
  });
  return ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", ...rows, ""].join("\n");
}
