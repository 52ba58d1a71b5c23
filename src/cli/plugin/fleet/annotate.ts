import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { NotFound } from "../../../kube/errors.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster } from "../plugin-context.ts";
import { fieldManager } from "./edit-app.ts";

/** Writes an annotation, or takes it away (null). With a UID it is refused when another object has the name meanwhile. */
export async function annotate<T extends KubeObject>(
  { client }: Pick<Cluster, "client">,
  resource: Resource,
  { name, namespace, uid }: { readonly name: string; readonly namespace?: string; readonly uid?: string },
  key: string,
  value: string | null,
): Promise<T> {
  const body = { metadata: { ...(uid !== undefined && { uid }), annotations: { [key]: value } } };
  try {
    return await client.patch<T>(
      resource,
      { name, ...(namespace !== undefined && { namespace }) },
      { type: "merge", body },
      { fieldManager },
    );
  } catch (error) {
    if (!(error instanceof NotFound) || error.isUnknownKind) throw error;
    const where = namespace === undefined ? "" : ` in namespace "${namespace}"`;
    throw new CommandFailure(`there is no ${resource.kind} "${name}"${where}`, { cause: error });
  }
}
