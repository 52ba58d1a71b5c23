import type { Clock, Timer } from "../../../base/clock.ts";
import { namespaces } from "../../../api/resource.ts";
import type { ApiServer } from "../api-server.ts";
import { CronJobController } from "./cron-job-controller.ts";
import { DaemonSetController } from "./daemon-set-controller.ts";
import { DeploymentController } from "./deployment-controller.ts";
import { DisruptionController } from "./disruption-controller.ts";
import { EndpointSliceController } from "./endpoint-slice-controller.ts";
import { GarbageCollector } from "./garbage-collector.ts";
import { JobController } from "./job-controller.ts";
import { NamespaceController } from "./namespace-controller.ts";
import { QuotaController } from "./quota-controller.ts";
import { ReplicaSetController } from "./replica-set-controller.ts";
import { StatefulSetController } from "./stateful-set-controller.ts";

const agent = "kube-controller-manager/embedded";

/** What a kube-controller-manager does beside a server. */
export interface Controllers {
  /** Ends what they would look at later by themselves. */
  close(): void;
}

/** Starts all controllers; each takes `delayMs` to notice a change. */
export function startControllers(server: ApiServer, clock: Clock, delayMs: number): Controllers {
  const later = (action: () => void): Timer => clock.after(delayMs, action);
  const contents = new NamespaceController(server, later, agent);
  const disruption = new DisruptionController(server, clock, later, agent);
  const jobs = new JobController(server, clock, later, agent);
  const cronJobs = new CronJobController(server, clock, later, agent);
  const observers = [
    new GarbageCollector(server, later, agent),
    new QuotaController(server, later, agent),
    disruption,
    new ReplicaSetController(server, later, agent),
    new DeploymentController(server, () => clock.now(), later, agent),
    new EndpointSliceController(server, later, agent),
    new StatefulSetController(server, later, agent),
    new DaemonSetController(server, later, agent),
    jobs,
    cronJobs,
  ];
  server.onCommit((commit) => {
    for (const observer of observers) observer.observe(commit);
    if (commit.resource === namespaces) contents.observe(commit);
  });
  return {
    close() {
      for (const controller of [disruption, jobs, cronJobs]) controller.close();
    },
  };
}
