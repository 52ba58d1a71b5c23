import type { Clock } from "../../../base/clock.ts";
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
import type { ControllerContext } from "./owner-work.ts";
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
  const context: ControllerContext = { server, clock, later: (action) => clock.after(delayMs, action), agent };
  const contents = new NamespaceController(context);
  const disruption = new DisruptionController(context);
  const jobs = new JobController(context);
  const cronJobs = new CronJobController(context);
  const observers = [
    new GarbageCollector(context),
    new QuotaController(context),
    disruption,
    new ReplicaSetController(context),
    new DeploymentController(context),
    new EndpointSliceController(context),
    new StatefulSetController(context),
    new DaemonSetController(context),
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
