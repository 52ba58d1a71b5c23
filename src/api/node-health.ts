/**
 * Where apps and jobs say which nodes fail them. When enough of them say so of one node, that is reported: what fails many that have nothing to do with
 * each other is perhaps ill itself.
 */
export interface NodeHealth {
  /** Of whom it is said, by UID: all nodes that fail it now, each until an instant in milliseconds. It takes the place of what was said before. */
  report(by: string, nodes: ReadonlyMap<string, number>): void;
  /** One node more, besides what was said before. */
  add(by: string, node: string, until: number): void;
  forget(by: string): void;
}
