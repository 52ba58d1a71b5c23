/**
 * How values of a type merge: the schema of structured merge ("sigs.k8s.io/structured-merge-diff"), which a real API server makes of
 * its OpenAPI document. A type may be several things at once (int-or-string, unknown fields); the value decides.
 */
export interface MergeType {
  scalar?: ScalarKind;
  list?: MergeList;
  map?: MergeMap;
}

/** Which scalars a type takes; the writer of a configuration is told when it is another. */
export type ScalarKind = "string" | "numeric" | "boolean" | "untyped";

export interface MergeList {
  /** Replaced and owned as a whole; else a map by `keys`, or without keys a set of scalars. */
  readonly atomic: boolean;
  readonly keys: readonly string[];
  /** What a missing key counts as. */
  readonly keyDefaults: Readonly<Record<string, unknown>>;
  readonly element: MergeType;
}

export interface MergeMap {
  readonly atomic: boolean;
  readonly fields: ReadonlyMap<string, MergeType>;
  /** Of fields that are not named; absent = there are none. */
  readonly element?: MergeType;
}

const untypedAtomic: MergeType = { scalar: "untyped" };
untypedAtomic.list = { atomic: true, keys: [], keyDefaults: {}, element: untypedAtomic };
untypedAtomic.map = { atomic: true, fields: new Map(), element: untypedAtomic };

/** Values of which nothing is known: objects merge field by field, lists are replaced. */
export const untyped: MergeType = { scalar: "untyped" };
untyped.list = { atomic: true, keys: [], keyDefaults: {}, element: untypedAtomic };
untyped.map = { atomic: false, fields: new Map(), element: untyped };

/** A value that is owned as a whole and may be any scalar. */
export const untypedScalar: MergeType = { scalar: "untyped" };
