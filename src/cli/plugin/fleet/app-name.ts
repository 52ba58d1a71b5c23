import { labels } from "../../../api/names.ts";
import { runnerApps } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { NotFound } from "../../../kube/errors.ts";
import { CommandFailure } from "../command-failure.ts";
import { nameHint } from "../name-hint.ts";
import type { Cluster } from "../plugin-context.ts";
import { appNameOf } from "./app-ref.ts";

/** The RunnerApp of that name. Rejects with CommandFailure, which knows what was perhaps meant, when there is none. */
export async function readApp(cluster: Pick<Cluster, "client" | "namespace">, text: string): Promise<RunnerApp> {
  const { client, namespace } = cluster;
  const name = appNameOf(text);
  try {
    return await client.get<RunnerApp>(runnerApps, { namespace, name });
  } catch (error) {
    if (!(error instanceof NotFound) || error.isUnknownKind) throw error;
    throw new CommandFailure(`there is no RunnerApp "${name}" in namespace "${namespace}"${await nameHint(cluster, runnerApps, name)}`, {
      cause: error,
    });
  }
}

/** What selects the pods of an app; those of others with the same label are told by their owner. */
export const podsOfApp = ({ metadata }: RunnerApp): string => `${labels.app}=${metadata.name}`;
