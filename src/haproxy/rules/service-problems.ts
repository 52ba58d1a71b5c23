import { createPrivateKey, X509Certificate } from "node:crypto";
import { inRange } from "../../api/gateway-ports.ts";
import type { SpecProblem } from "../../api/problem.ts";
import { hostnameRule, isDnsLabel, isHostname, isIpAddress, isPath, pathRule, servicePath } from "../../api/published-names.ts";
import type { Certificate, Instance, PublishedService } from "./published-service.ts";
import type { GatewaySettings } from "./settings.ts";

// All that goes into a configuration passes here first. What is let through holds no character that means anything to HAProxy's parser, so
// that nothing needs to be escaped, and nothing can be injected.

const podName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const mostHosts = 32;
const mostPaths = 32;
const longestCertificate = 256 * 1024;

/** What keeps a service from being rendered; none = it can be. Paths are those of RunnerApp.spec.services[], by name. */
export function serviceProblems(service: PublishedService, settings: Pick<GatewaySettings, "pools">): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  const base = servicePath(service.name);
  const refuse = (field: string, message: string) => problems.push({ path: field === "" ? base : `${base}.${field}`, message });
  const whole = (field: string, value: number, least: number, most: number) => {
    if (!Number.isInteger(value) || value < least || value > most) {
      refuse(field, `must be a whole number from ${least} to ${most}, and is ${String(value)}`);
    }
  };

  if (!isDnsLabel(service.name))
    refuse("name", "must be a DNS label: at most 63 of a-z, 0-9 and -, beginning and ending with one of the first two");
  if (!isDnsLabel(service.namespace)) refuse("", "its namespace must be a DNS label");
  if (!settings.pools.some((pool) => inRange(service.port, pool)) || !Number.isInteger(service.port)) {
    refuse(
      "",
      `the allocated port ${String(service.port)} is outside of ${settings.pools.map(({ first, last }) => `${first}-${last}`).join(", ")}`,
    );
  }
  const { protocol, hostnames, paths, healthCheck, timeouts, tls } = service;
  if (protocol === "TCP" && hostnames.length + paths.length > 0) refuse("hostnames", "hostnames and paths need protocol HTTP");
  if (protocol === "TCP" && service.sticky) refuse("sticky", "Cookie needs protocol HTTP");
  if (hostnames.length > mostHosts) refuse("hostnames", `at most ${mostHosts} are served`);
  if (paths.length > mostPaths) refuse("paths", `at most ${mostPaths} are served`);
  for (const [index, host] of hostnames.entries()) {
    if (!isHostname(host)) refuse(`hostnames[${index}]`, hostnameRule(host));
  }
  for (const [index, { value }] of paths.entries()) {
    if (!isPath(value)) refuse(`paths[${index}].value`, pathRule(value));
  }
  if (healthCheck.type === "HTTP" && !isPath(healthCheck.path ?? "")) refuse("healthCheck.path", pathRule(healthCheck.path ?? ""));
  whole("healthCheck.periodSeconds", healthCheck.periodSeconds, 1, 3600);
  whole("healthCheck.failureThreshold", healthCheck.failureThreshold, 1, 100);
  whole("healthCheck.successThreshold", healthCheck.successThreshold, 1, 100);
  whole("timeouts.connectSeconds", timeouts.connectSeconds, 1, 300);
  whole("timeouts.idleSeconds", timeouts.idleSeconds, 1, 604_800);
  whole("timeouts.tunnelSeconds", timeouts.tunnelSeconds, 1, 604_800);
  whole("slowStartSeconds", service.slowStartSeconds, 0, 3600);
  if (service.maxConnections !== undefined) whole("maxConnections", service.maxConnections, 1, 1_000_000);
  if (tls.mode === "Passthrough" && protocol === "HTTP")
    refuse("tls.mode", "Passthrough needs protocol TCP: what is not decrypted cannot be told by host or path");
  if (tls.mode === "Terminate") {
    const wrong = certificateProblem(tls.certificate);
    if (wrong !== undefined) refuse("tls.secretName", wrong);
  }
  return problems;
}

/** Whether an instance can be rendered; those that cannot are left out, the others of their service serve. */
export function isServableInstance({ address, port, pod, uid }: Instance): boolean {
  return (
    isIpAddress(address) &&
    Number.isInteger(port) &&
    port >= 1 &&
    port <= 65_535 &&
    (pod === "" || podName.test(pod)) &&
    /^[A-Za-z0-9-]{0,64}$/.test(uid)
  );
}

/** What HAProxy would stumble over in a certificate; checked here so that one bad Secret costs no reload. */
function certificateProblem({ chain, key }: Certificate): string | undefined {
  if (chain === "" || key === "") return "the Secret is missing, or is not of the type kubernetes.io/tls with tls.crt and tls.key";
  if (chain.length + key.length > longestCertificate) return `the Secret holds more than ${longestCertificate} characters`;
  try {
    const certificate = new X509Certificate(chain);
    return certificate.checkPrivateKey(createPrivateKey(key)) ? undefined : "tls.key of the Secret is not the key of its tls.crt";
  } catch {
    return "tls.crt or tls.key of the Secret is not PEM of a certificate and its unencrypted key";
  }
}
