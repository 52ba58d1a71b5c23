import type { JsonPatchOperation } from "../../../api/json-patch.ts";
import { runnerApps } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { Invalid } from "../../../kube/errors.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster } from "../plugin-context.ts";

/** Who the edits of this program are by, in metadata.managedFields. */
export const fieldManager = "kubectl-nuptse";

type At = Pick<Cluster, "client" | "namespace">;

/** Merges fields into an app. Refused when another one has its name meanwhile. */
export async function mergeIntoApp({ client, namespace }: At, { metadata }: RunnerApp, fields: object): Promise<RunnerApp> {
  const { name, uid } = metadata;
  const own = (fields as { readonly metadata?: object }).metadata;
  const body = { ...fields, metadata: { ...own, ...(uid !== undefined && { uid }) } };
  return client.patch<RunnerApp>(runnerApps, { namespace, name }, { type: "merge", body }, { fieldManager });
}

/** Edits an app as it was read. Rejects with CommandFailure when its spec was changed meanwhile. */
export async function editApp(
  cluster: At,
  app: RunnerApp,
  operations: readonly JsonPatchOperation[],
  options: { readonly dryRun?: boolean } = {},
): Promise<RunnerApp> {
  const { name, generation } = app.metadata;
  const body: readonly JsonPatchOperation[] = [{ op: "test", path: "/metadata/generation", value: generation }, ...operations];
  const { client, namespace } = cluster;
  try {
    return await client.patch<RunnerApp>(
      runnerApps,
      { namespace, name },
      { type: "json", body },
      { fieldManager, ...(options.dryRun === true && { dryRun: true }) },
    );
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    const now = await client.get<RunnerApp>(runnerApps, { namespace, name });
    if (now.metadata.generation === generation) throw error;
    throw new CommandFailure(`${name} was changed by somebody else at the same moment; look at it and try again`, { cause: error });
  }
}
