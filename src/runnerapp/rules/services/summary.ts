import type { GatewayState, ServerReport, ServiceSummary } from "../../../api/gateway-state.ts";

const fromWorst = ["down", "maint", "drain", "up"] as const;

/** What several gateways say, as one: of an instance the worst, of figures the sum. */
export function summarize(told: readonly GatewayState[]): readonly ServiceSummary[] {
  const worst = new Map<string, ServerReport>();
  for (const report of told.flatMap(({ servers }) => servers)) {
    const key = `${report.service} ${report.pod} ${report.address}`;
    const known = worst.get(key);
    if (known === undefined || fromWorst.indexOf(report.state) < fromWorst.indexOf(known.state)) worst.set(key, report);
  }
  const instances = Map.groupBy(worst.values(), ({ service }) => service);
  const figures = Map.groupBy(
    told.flatMap(({ services = [] }) => services),
    ({ service }) => service,
  );
  return [...figures].map(([service, each]) => {
    const count = (wanted: ServerReport["state"]) => (instances.get(service) ?? []).filter(({ state }) => state === wanted).length;
    return {
      service,
      instances: { up: count("up"), down: count("down"), drain: count("drain"), maint: count("maint") },
      sessions: each.reduce((sum, { sessions }) => sum + sessions, 0),
      rate: each.reduce((sum, { rate }) => sum + rate, 0),
    };
  });
}
