import type { ControlPlane } from "../../../hack/control-plane/control-plane.ts";
import { eventually } from "./eventually.ts";
import { HoldingProxy } from "./holding-proxy.ts";
import { OperatorProcess } from "./operator-process.ts";
import { timeLimits } from "./time-limits.ts";

/** A process and the proxy that it speaks through. */
export interface Replica {
  readonly proxy: HoldingProxy;
  readonly operator: OperatorProcess;
}

/**
 * Two replicas, each behind a proxy of its own; one that ends, for whatever reason, is started again at once, as a Deployment does it.
 */
export class OperatorPair {
  readonly #lease: string;
  readonly #proxies: readonly HoldingProxy[];
  #replicas: Replica[] = [];
  #closing = false;
  /** Every process that ever ran. */
  readonly operators: OperatorProcess[] = [];

  private constructor(lease: string, proxies: readonly HoldingProxy[]) {
    this.#lease = lease;
    this.#proxies = proxies;
    this.#replicas = proxies.map((proxy) => this.#launch(proxy));
  }

  static async start(plane: ControlPlane, lease: string): Promise<OperatorPair> {
    return new OperatorPair(lease, [await HoldingProxy.start(plane, "operator-a"), await HoldingProxy.start(plane, "operator-b")]);
  }

  /** Resolves with the replica that leads. */
  leader(): Promise<Replica> {
    return eventually("a replica to lead", timeLimits.takeOver, () =>
      this.#replicas.find(({ operator }) => operator.leads && !operator.ended),
    );
  }

  /** kill -9, and nothing of what was under way arrives. */
  async kill(replica: Replica): Promise<void> {
    await replica.operator.kill();
    replica.proxy.release();
  }

  /** Ends both for good. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#replicas.map(({ operator }) => operator.kill()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  #launch(proxy: HoldingProxy): Replica {
    const operator = new OperatorProcess({ kubeconfig: proxy.kubeconfig, lease: this.#lease });
    this.operators.push(operator);
    const replica = { proxy, operator };
    void operator.whenEnded.then(() => {
      proxy.release();
      if (!this.#closing) this.#replicas = this.#replicas.map((each) => (each === replica ? this.#launch(proxy) : each));
    });
    return replica;
  }
}
