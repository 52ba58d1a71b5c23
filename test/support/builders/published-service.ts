import { type PublishedService, serviceDefaults } from "../../../src/haproxy/rules/published-service.ts";

/** A service with the defaults of its protocol. */
export function makeService(fields: Partial<PublishedService> = {}): PublishedService {
  const protocol = fields.protocol ?? "TCP";
  return {
    namespace: "default",
    name: "base",
    createdAt: "2026-01-01T00:00:00Z",
    protocol,
    port: 21_000,
    hostnames: [],
    paths: [],
    balance: serviceDefaults.balance[protocol],
    sticky: false,
    healthCheck: serviceDefaults.healthCheck,
    timeouts: serviceDefaults.timeouts[protocol],
    slowStartSeconds: serviceDefaults.slowStartSeconds,
    tls: { mode: "None" },
    instances: [],
    ...fields,
  };
}
