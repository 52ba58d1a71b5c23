import type { Fields } from "../json.ts";

/**
 * A set of paths into an object, in the very form in which managedFields writes it (FieldsV1), so that it is neither parsed nor
 * printed. Keys are path elements: `f:<field>`, `k:{...}` (a list element by its keys), `v:<value>` (of a set). A node with no key is
 * a member without children; a node with the key "." is a member with children; the root is never a member and may be empty.
 * Sets are immutable and share their parts.
 */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** The empty set; as a node below the root: a member without children. */
export const emptySet: FieldSet = {};

/** Whether nothing is in the set (a root). */
export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether a node below the root is itself in the set. */
export function isMember(node: FieldSet): boolean {
  return node["."] !== undefined || isEmptySet(node);
}

/** The children of a node or of a root; "." is no child. */
export function* childrenOf(node: FieldSet): Iterable<readonly [string, FieldSet]> {
  for (const element in node) if (element !== ".") yield [element, node[element] as FieldSet];
}

/** A node from what it is to be; undefined when there would be nothing in it. */
function nodeOf(member: boolean, children: Record<string, FieldSet>): FieldSet | undefined {
  if (isEmptySet(children)) return member ? emptySet : undefined;
  if (member) children["."] = emptySet;
  return children;
}

type Combine = (left: FieldSet | undefined, right: FieldSet | undefined) => FieldSet | undefined;

function combineRoots(left: FieldSet, right: FieldSet, combine: Combine): FieldSet {
  const result: Record<string, FieldSet> = {};
  for (const element in left) {
    const node = combine(left[element], right[element]);
    if (node !== undefined) result[element] = node;
  }
  for (const element in right) {
    if (left[element] !== undefined) continue;
    const node = combine(undefined, right[element]);
    if (node !== undefined) result[element] = node;
  }
  return result;
}

function combineChildren(left: FieldSet, right: FieldSet, member: boolean, combine: Combine): FieldSet | undefined {
  const children: Record<string, FieldSet> = {};
  for (const [element, child] of childrenOf(left)) {
    const node = combine(child, right[element]);
    if (node !== undefined) children[element] = node;
  }
  for (const [element, child] of childrenOf(right)) {
    if (left[element] !== undefined) continue;
    const node = combine(undefined, child);
    if (node !== undefined) children[element] = node;
  }
  return nodeOf(member, children);
}

const unionNodes: Combine = (left, right) => {
  if (left === undefined || left === right) return right;
  if (right === undefined) return left;
  return combineChildren(left, right, isMember(left) || isMember(right), unionNodes);
};

const differenceNodes: Combine = (left, right) => {
  if (left === undefined) return undefined;
  if (right === undefined) return left;
  return combineChildren(left, right, isMember(left) && !isMember(right), differenceNodes);
};

const recursiveDifferenceNodes: Combine = (left, right) => {
  if (left === undefined) return undefined;
  if (right === undefined) return left;
  return isMember(right) ? undefined : combineChildren(left, right, isMember(left), recursiveDifferenceNodes);
};

const intersectionNodes: Combine = (left, right) => {
  if (left === undefined || right === undefined) return undefined;
  return combineChildren(left, right, isMember(left) && isMember(right), intersectionNodes);
};

export const union = (left: FieldSet, right: FieldSet): FieldSet =>
  isEmptySet(right) ? left : isEmptySet(left) ? right : combineRoots(left, right, unionNodes);

/** What is in `left` and not itself in `right`. */
export const difference = (left: FieldSet, right: FieldSet): FieldSet =>
  isEmptySet(right) || isEmptySet(left) ? left : combineRoots(left, right, differenceNodes);

/** What is in `left` and neither in `right` nor below anything that is. */
export const recursiveDifference = (left: FieldSet, right: FieldSet): FieldSet =>
  isEmptySet(right) || isEmptySet(left) ? left : combineRoots(left, right, recursiveDifferenceNodes);

export const intersection = (left: FieldSet, right: FieldSet): FieldSet =>
  isEmptySet(left) || isEmptySet(right) ? emptySet : combineRoots(left, right, intersectionNodes);

/** All paths in the set, each as its elements, sorted; members come before what is below them. */
export function pathsOf(set: FieldSet): readonly (readonly string[])[] {
  const paths: string[][] = [];
  const walk = (node: FieldSet, prefix: readonly string[]): void => {
    const children = [...childrenOf(node)].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [element, child] of children) if (isMember(child)) paths.push([...prefix, element]);
    for (const [element, child] of children) walk(child, [...prefix, element]);
  };
  walk(set, []);
  return paths;
}

/** Collects paths one by one and becomes a {@link FieldSet}. */
export class FieldSetBuilder {
  readonly #root: BuilderNode = { member: false, children: new Map() };

  add(path: readonly string[]): void {
    let node = this.#root;
    for (const element of path) {
      let child = node.children.get(element);
      if (child === undefined) {
        child = { member: false, children: new Map() };
        node.children.set(element, child);
      }
      node = child;
    }
    node.member = true;
  }

  build(): FieldSet {
    return freeze(this.#root, true) ?? emptySet;
  }
}

interface BuilderNode {
  member: boolean;
  readonly children: Map<string, BuilderNode>;
}

function freeze(node: BuilderNode, root: boolean): FieldSet | undefined {
  const children: Record<string, FieldSet> = {};
  for (const [element, child] of node.children) {
    const frozen = freeze(child, false);
    if (frozen !== undefined) children[element] = frozen;
  }
  return nodeOf(node.member && !root, children);
}

/** How many parts the pool holds at most; then it begins anew. */
const poolSize = 4_096;
const pool = new Map<string, FieldSet>();

/**
 * The same set, for keeping: its parts below the second level are one object with all equal ones, since thousands of objects of a kind have the
 * same fields, and their sets would take more memory than their values. The levels above hold what differs, such as the addresses of pods.
 */
export function pooled(set: FieldSet, level = 0): FieldSet {
  if (isEmptySet(set)) return emptySet;
  if (level < 2) return Object.fromEntries(Object.entries(set).map(([element, node]) => [element, pooled(node, level + 1)]));
  const text = JSON.stringify(set);
  const known = pool.get(text);
  if (known !== undefined) return known;
  if (pool.size === poolSize) pool.clear();
  pool.set(text, set);
  return set;
}

/** The path element of a field. */
export const fieldElement = (name: string): string => `f:${name}`;

/** The path element of a list element with these keys. */
export function keyElement(keys: Fields): string {
  const sorted: Record<string, unknown> = {};
  for (const name of Object.keys(keys).sort()) sorted[name] = keys[name];
  return `k:${JSON.stringify(sorted)}`;
}

/** The path element of a member of a set-like list. */
export const valueElement = (value: unknown): string => `v:${JSON.stringify(value)}`;

/** A path as conflict messages show it: `.spec.items[id=0].param`. */
export function printPath(path: readonly string[]): string {
  return path.map(printElement).join("");
}

function printElement(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith("f:")) return `.${rest}`;
  if (element.startsWith("k:")) {
    const keys = Object.entries(JSON.parse(rest) as Fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    return `[${keys.join(",")}]`;
  }
  return element.startsWith("v:") ? `[=${rest}]` : `[${rest}]`;
}
