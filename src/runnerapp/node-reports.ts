import type { NodeHealth } from "../api/node-health.ts";
import { getOrMake } from "../base/map.ts";

/** What is said of a node at one instant. */
export interface NodeComplaints {
  /** Apps and jobs that say that it fails them, each counted once. */
  readonly count: number;
  /** When the first of them says so no more, in milliseconds. */
  readonly until?: number;
}

/** What apps and jobs say of nodes. A new leader hears of apps at once, since their statuses have it, and of jobs when it happens again. */
export class NodeReports implements NodeHealth {
  readonly #onChange: (node: string) => void;
  /** By node, then by who says so. */
  readonly #untils = new Map<string, Map<string, number>>();
  readonly #nodes = new Map<string, Set<string>>();

  /** @param onChange what is said of a node has changed */
  constructor(onChange: (node: string) => void) {
    this.#onChange = onChange;
  }

  report(by: string, nodes: ReadonlyMap<string, number>): void {
    for (const node of this.#nodes.get(by) ?? []) if (!nodes.has(node)) this.#remove(by, node);
    for (const [node, until] of nodes) this.add(by, node, until);
  }

  add(by: string, node: string, until: number): void {
    const known = getOrMake(this.#untils, node, () => new Map<string, number>());
    if (known.get(by) === until) return;
    known.set(by, until);
    getOrMake(this.#nodes, by, () => new Set<string>()).add(node);
    this.#onChange(node);
  }

  forget(by: string): void {
    for (const node of this.#nodes.get(by) ?? []) this.#remove(by, node);
  }

  /** What is said of the node now; what is over is forgotten. */
  of(node: string, now: number): NodeComplaints {
    for (const [by, until] of this.#untils.get(node) ?? []) if (until <= now) this.#remove(by, node, false);
    const untils = [...(this.#untils.get(node)?.values() ?? [])];
    return { count: untils.length, ...(untils.length > 0 && { until: Math.min(...untils) }) };
  }

  #remove(by: string, node: string, tell = true): void {
    const untils = this.#untils.get(node);
    untils?.delete(by);
    if (untils?.size === 0) this.#untils.delete(node);
    const nodes = this.#nodes.get(by);
    nodes?.delete(node);
    if (nodes?.size === 0) this.#nodes.delete(by);
    if (tell) this.#onChange(node);
  }
}
