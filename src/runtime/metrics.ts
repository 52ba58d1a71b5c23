import type { CounterName, GaugeName, HistogramName, LabelsOf, MetricDescriptor, MetricName } from "./metric-catalogue.ts";
import { metricCatalogue } from "./metric-catalogue.ts";

/** Where figures go. Never throws, never waits. */
export interface Metrics {
  /** Adds to a counter; `by` is 1 when absent and never negative. */
  count<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  /** Sets a gauge. */
  set<Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Adds a value, in the unit that the metric's name ends with, to a histogram. */
  observe<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, value: number): void;
}

/** Metrics that can be scraped. */
export interface ScrapedMetrics extends Metrics {
  /** The HTTP content type of {@link ScrapedMetrics.text}. */
  readonly contentType: string;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
}

/** Drops everything: for tests, and for commands that nobody scrapes. */
export const noMetrics: Metrics = { count() {}, set() {}, observe() {} };

/**
 * A registry of its own (never the library's global one) with every metric of the catalogue. Counters and gauges without labels exist
 * at 0 from the start, so that a rate over them is right from the first increment.
 * @param options.process also measure the process: memory, CPU, event-loop lag, garbage collection
 */
export async function createPrometheusMetrics(options: { readonly process: boolean }): Promise<ScrapedMetrics> {
  // Imported late: short commands never scrape, and must not pay for it at their start. As a part of a bundle it has a default export only.
  const { default: prometheus } = await import("prom-client");
  const { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } = prometheus;
  const registry = new Registry();
  if (options.process) collectDefaultMetrics({ register: registry });
  const counters = new Map<MetricName, InstanceType<typeof Counter>>();
  const gauges = new Map<MetricName, InstanceType<typeof Gauge>>();
  const histograms = new Map<MetricName, InstanceType<typeof Histogram>>();
  for (const [key, descriptor] of Object.entries(metricCatalogue) as [MetricName, MetricDescriptor][]) {
    const common = { name: key, help: descriptor.help, labelNames: [...descriptor.labels], registers: [registry] };
    if (descriptor.type === "counter") counters.set(key, new Counter(common));
    else if (descriptor.type === "gauge") gauges.set(key, new Gauge(common));
    else histograms.set(key, new Histogram({ ...common, buckets: [...(descriptor.buckets ?? [])] }));
  }
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    count: (name, labels, by = 1) => counters.get(name)?.inc(labels, by),
    set: (name, labels, value) => gauges.get(name)?.set(labels, value),
    observe: (name, labels, value) => histograms.get(name)?.observe(labels, value),
  };
}
