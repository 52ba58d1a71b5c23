import type { Conversion, Note } from "./conversion.ts";

/**
 * XXL-JOB starts a job's children when it has succeeded; here a child says after which job it runs. That is the same for a child without a
 * schedule of its own and with one parent; of the others a note tells. To be called once, with all jobs of one table.
 */
export function linkChildren(conversions: readonly Conversion[]): readonly Conversion[] {
  const byId = new Map(
    conversions.flatMap((conversion) => (conversion.xxl === undefined ? [] : [[conversion.xxl.id, conversion] as const])),
  );
  const parentsOf = new Map<number, Conversion[]>();
  for (const conversion of byId.values()) {
    for (const child of conversion.xxl?.children ?? []) parentsOf.set(child, [...(parentsOf.get(child) ?? []), conversion]);
  }
  const linked = (id: number): boolean =>
    parentsOf.get(id)?.length === 1 && byId.has(id) && byId.get(id)?.manifest.spec.schedule === undefined;
  return conversions.map((conversion) => {
    const { xxl, manifest } = conversion;
    if (xxl === undefined) return conversion;
    const notes: readonly Note[] = xxl.children.filter((child) => !linked(child)).map((child) => unlinked(child, byId.get(child)));
    const parent = linked(xxl.id) ? parentsOf.get(xxl.id)?.[0] : undefined;
    if (parent === undefined) return { ...conversion, notes: [...conversion.notes, ...notes] };
    const spec = { ...manifest.spec, after: [{ job: parent.manifest.metadata.name }] };
    return { ...conversion, manifest: { ...manifest, spec }, notes: [...conversion.notes, ...notes] };
  });
}

function unlinked(id: number, child: Conversion | undefined): Note {
  const why =
    child === undefined
      ? "it is not in this table"
      : child.manifest.spec.schedule === undefined
        ? "it has several parents, and any of them would start it"
        : "it has a schedule of its own, and would be started by both";
  return { path: "child_jobid", text: `Job ${id} is not started after this one: ${why}. See spec.after.` };
}
