import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../../hack/control-plane/control-plane.ts";
import { MissingComponent } from "../../hack/control-plane/missing-component.ts";

/** A first build of the binaries takes minutes. */
const startTimeoutMs = 20 * 60_000;

let shared: Promise<ControlPlane> | undefined;
/** Why tests were skipped, each reason once, with the suites it concerns. */
const skips = new Map<string, string[]>();

/**
 * The one control plane of this mocha process (etcd and kube-apiserver, with the audit log written before each reply), started by the first who asks
 * and stopped after the last test. To be called in a `before` hook: what the machine lacks skips the suite, in CI it fails it.
 * Tests keep to namespaces of their own; whoever kills a component puts it back.
 */
export async function sharedControlPlane(context: Mocha.Context): Promise<ControlPlane> {
  context.timeout(startTimeoutMs);
  shared ??= startControlPlane();
  const plane = shared;
  return await requireComponent(context, () => plane);
}

/** A control plane for one suite alone, with what it asks for; the suite stops it. Otherwise as `sharedControlPlane`. */
export async function ownControlPlane(context: Mocha.Context, options: ControlPlaneOptions): Promise<ControlPlane> {
  context.timeout(startTimeoutMs);
  return await requireComponent(context, () => startControlPlane(options));
}

/** What `get` resolves to; where it throws MissingComponent the suite is skipped and the reason told at the end, with CI=true it fails. */
export async function requireComponent<Component>(context: Mocha.Context, get: () => Promise<Component>): Promise<Component> {
  try {
    return await get();
  } catch (error) {
    if (!(error instanceof MissingComponent) || process.env.CI === "true") throw error;
    const suite = context.test?.parent?.fullTitle() ?? "";
    skips.set(error.message, [...(skips.get(error.message) ?? []), suite]);
    return context.skip();
  }
}

after("stop the shared control plane", async function () {
  this.timeout(60_000);
  for (const [reason, suites] of skips) console.error(`skipped: ${suites.join(", ")}: ${reason}`);
  const plane = await shared?.catch(() => undefined);
  shared = undefined;
  await plane?.stop();
});
