import { operatorRules } from "../../integration/support/operator-rights.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { AuditEvent, AuditFilter } from "../../../hack/control-plane/audit.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../../../hack/control-plane/control-plane.ts";
import { installCrds } from "../../../hack/control-plane/objects.ts";
import { closeChildren } from "./child.ts";
import { sumsOf } from "./operator-process.ts";
import { tell } from "./progress.ts";
import { sideBySide } from "./side-by-side.ts";

/** What a kubelet, a scheduler and a loader may do belongs to the bench; the operator has what it needs and no more. */
const serviceAccounts = "nuptse-system";
/** Audit lines come in batches of 200 ms. */
const auditLagMs = 1500;
/** Requests of the bench itself in flight. */
const width = 32;

/** The operator's user agent begins so. */
export const operatorAgent = "nuptse/";

/** A real control plane with the CRDs, and ordinary users: what they do is held by RBAC and by fairness, as for service accounts. */
export class BenchCluster {
  readonly plane: ControlPlane;
  /** Of the user that the operator runs as. */
  readonly operatorKubeconfig: string;
  /** Of another user with the same rights. */
  readonly loaderKubeconfig: string;
  readonly #onSignal = (): void => process.exit(130);

  private constructor(plane: ControlPlane, operatorKubeconfig: string, loaderKubeconfig: string) {
    this.plane = plane;
    this.operatorKubeconfig = operatorKubeconfig;
    this.loaderKubeconfig = loaderKubeconfig;
    // the watchdogs end everything when this process is gone
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, this.#onSignal);
  }

  /** Starts it, with an audit log that is written in batches; pods need no service account, so that no controller has to make them. */
  static async start(options: ControlPlaneOptions = {}): Promise<BenchCluster> {
    const apiserverArgs = [
      ...(options.components?.controllerManager ? ["--disable-admission-plugins=ServiceAccount"] : []),
      ...(options.apiserverArgs ?? []),
    ];
    const plane = await startControlPlane({ audit: "batch", ...options, apiserverArgs });
    try {
      await installCrds(plane.client);
      const users = ["nuptse", "loader"] as const;
      const [operatorPath, loaderPath] = await Promise.all(users.map((name) => ordinaryUser(plane, name)));
      const cluster = new BenchCluster(plane, operatorPath as string, loaderPath as string);
      await cluster.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", { metadata: { name: "nuptse" }, rules: operatorRules });
      await cluster.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        metadata: { name: "nuptse" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "nuptse" },
        subjects: users.map((name) => ({ kind: "ServiceAccount", name, namespace: serviceAccounts })),
      });
      tell("the control plane is up");
      return cluster;
    } catch (error) {
      await plane.stop();
      throw error;
    }
  }

  /** One request of the administrator, whose reply must be one of success; resolves with its object. */
  async send(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<ApiObject> {
    const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const text = await this.plane.client.text({ method, path, contentType, userAgent: "bench", ...(body === undefined ? {} : { body }) });
    return JSON.parse(text) as ApiObject;
  }

  /** Creates all objects below one path, 32 at once. */
  async createAll(path: string, objects: readonly unknown[]): Promise<void> {
    await sideBySide(objects, width, (object) => this.send("POST", path, object));
  }

  /** Deletes everything below a path and resolves when nothing is left, since one request stops after a minute. */
  async deleteAll(path: string): Promise<void> {
    for (;;) {
      await this.plane.client.send({
        method: "DELETE",
        path: `${path}?limit=500`,
        body: { propagationPolicy: "Background", gracePeriodSeconds: 0 },
      });
      if ((await this.count(path)) === 0) return;
    }
  }

  /** Creates namespaces. */
  async createNamespaces(names: readonly string[]): Promise<void> {
    await this.createAll(
      "/api/v1/namespaces",
      names.map((name) => ({ metadata: { name } })),
    );
  }

  /** All items of a list, by pages. */
  async list(path: string): Promise<readonly ApiObject[]> {
    const items: ApiObject[] = [];
    let token = "";
    do {
      const page = await this.send("GET", `${path}?limit=500${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`);
      items.push(...(page["items"] as readonly ApiObject[]));
      token = page.metadata["continue"] ?? "";
    } while (token !== "");
    return items;
  }

  /** How many objects a collection has, without reading them. */
  async count(path: string): Promise<number> {
    const page = await this.send("GET", `${path}?limit=1`);
    const { remainingItemCount = 0 } = page.metadata as { readonly remainingItemCount?: number };
    return (page["items"] as readonly unknown[]).length + remainingItemCount;
  }

  /** Resolves when the operator has armed so many ElasticJobs of the namespace ("" = of all): revision made, status written. */
  async armed(namespace: string, count: number, withinMs = 600_000): Promise<void> {
    const scope = namespace === "" ? "" : `/namespaces/${namespace}`;
    const deadline = performance.now() + withinMs;
    for (;;) {
      // thousands are listed only when it may be true: that is work for an API server that the operator waits for
      let ready = await this.count(`/apis/apps/v1${scope}/controllerrevisions`);
      if (ready >= count) {
        const jobs = await this.list(`/apis/nuptse.dev/v1alpha1${scope}/elasticjobs`);
        ready = jobs.filter((job) => job.status?.["currentRevision"] !== undefined).length;
      }
      if (ready >= count) return;
      if (performance.now() > deadline) throw new Error(`${ready} of ${count} ElasticJobs are armed after ${withinMs} ms`);
      await sleep(1000);
    }
  }

  /** Events of the audit log since a position, after a moment in which what was done is surely written. */
  async audit(filter: AuditFilter): Promise<readonly AuditEvent[]> {
    await sleep(auditLagMs);
    return await Array.fromAsync(this.plane.auditEvents(filter));
  }

  /** Puts and deletes that etcd has seen since its start, whoever asked for them. */
  async etcdWrites(): Promise<number> {
    const sums = sumsOf(await this.plane.etcdMetrics());
    return (sums.get("etcd_mvcc_put_total") ?? Number.NaN) + (sums.get("etcd_mvcc_delete_total") ?? Number.NaN);
  }

  /** Ends all of it. Children are ended by whoever started them, before. */
  async stop(): Promise<void> {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, this.#onSignal);
    await this.plane.stop();
    await closeChildren();
  }
}

/** An object as the API server gives it; nobody here knows its kind. */
export interface ApiObject {
  readonly metadata: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

async function ordinaryUser(plane: ControlPlane, name: string): Promise<string> {
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${serviceAccounts}`, "system:authenticated"];
  return await plane.kubeconfigFor(`system:serviceaccount:${serviceAccounts}:${name}`, groups);
}
