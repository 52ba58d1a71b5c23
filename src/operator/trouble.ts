import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import { Forbidden, NotFound, TransportError, Unauthorized } from "../kube/errors.ts";

/** The same line is said again only after this long. */
const repeatMs = 60_000;

/** One line that says what is wrong and what to do about it, for troubles that people can mend; undefined for others. */
export function adviceFor(error: unknown): string | undefined {
  if (error instanceof NotFound && error.isUnknownKind && error.message.includes("nuptse.dev"))
    return "the CustomResourceDefinitions are not installed; install them with: kubectl apply -f crds/ (trying again until they are there)";
  if (error instanceof Forbidden)
    return `the operator's account lacks a permission; bind it to the operator's ClusterRole (trying again): ${error.message}`;
  if (error instanceof Unauthorized)
    return `the API server does not accept the credentials; renew the kubeconfig or the token (trying again): ${error.message}`;
  if (error instanceof TransportError)
    return `the API server cannot be reached; check its address and the network (trying again): ${error.message}`;
  return undefined;
}

/** Says what troubles a cache or the lease: advice where there is some, and never the same line twice a minute. */
export function createTroubleTeller(logger: Logger, clock: Clock): (error: unknown) => void {
  const said = new Map<string, number>();
  return (error) => {
    const advice = adviceFor(error);
    const key = advice ?? String(error);
    const last = said.get(key);
    if (last !== undefined && clock.monotonic() - last < repeatMs) return;
    if (said.size > 100) said.clear();
    said.set(key, clock.monotonic());
    if (advice === undefined) logger.warn("a request failed and is tried again", { error });
    else logger.warn(advice);
  };
}
