import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../../hack/control-plane/control-plane.ts";
import { skipUnless } from "../support/skip.ts";

const stopTimeoutMs = 60_000;

let shared: Promise<ControlPlane> | undefined;

/**
 * Called in a `describe`: returns the function that gives its tests the one control plane of this mocha process (etcd and kube-apiserver, with the
 * audit log written before each reply). It is started by the first suite that asks and stopped after the last test; where it cannot be had, the
 * suite is skipped, in CI it fails. Tests keep to namespaces of their own; whoever kills a component puts it back.
 */
export function sharedControlPlane(): () => ControlPlane {
  return skipUnless(() => {
    shared ??= startControlPlane();
    return shared;
  });
}

/** As `sharedControlPlane`, but one for this suite alone, with what it asks for; stopped after its tests. */
export function ownControlPlane(options: ControlPlaneOptions = {}): () => ControlPlane {
  let own: ControlPlane | undefined;
  const get = skipUnless(async () => {
    own = await startControlPlane(options);
    return own;
  });
  after("stop the suite's control plane", async function () {
    this.timeout(stopTimeoutMs);
    await own?.stop();
  });
  return get;
}

after("stop the shared control plane", async function () {
  this.timeout(stopTimeoutMs);
  const plane = await shared?.catch(() => undefined);
  shared = undefined;
  await plane?.stop();
});
