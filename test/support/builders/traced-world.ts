import type { Action } from "../../../src/api/action.ts";
import type { TraceRow } from "../../../src/api/trace.ts";
import type { ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import type { ElasticJobPlan } from "../../../src/elasticjob/rules/plan.ts";
import { createTraceTeller, type TraceTeller } from "../../../src/elasticjob/trace-teller.ts";
import { JobWorld, type WorldOptions } from "./job-world.ts";

/** A world that keeps the rows of the event trace, told as the controller tells them. */
export class TracedWorld extends JobWorld {
  rows: TraceRow[] = [];
  /** What becomes of status writes, as far as the controller learns. */
  statusAnswer: "done" | "failed" = "done";
  #teller: TraceTeller = this.#newTeller();
  #observed: ObservedJob | undefined;

  static traced(options: WorldOptions = {}): TracedWorld {
    const world = new TracedWorld(options);
    world.settle();
    world.rows = [];
    return world;
  }

  override observe(): ObservedJob {
    this.#observed = super.observe();
    this.#teller.seen(this.#observed);
    return this.#observed;
  }

  override step(only: (action: Action) => boolean = () => true, withStatus = true): ElasticJobPlan {
    const plan = super.step(only, withStatus);
    const results = plan.actions.filter(only).map((action) => ({ action, outcome: { kind: "done" } as const }));
    const answer =
      this.statusAnswer === "done" ? ({ kind: "done" } as const) : ({ kind: "failed", error: new Error("no answer") } as const);
    this.#teller.settled(this.#observed as ObservedJob, plan.traced, results, plan.status !== undefined && withStatus ? answer : undefined);
    return plan;
  }

  override restart(): this {
    super.restart();
    this.#teller = this.#newTeller();
    return this;
  }

  /** Rows in few words: "attempt 0/1 Succeeded", "Run Running", "Items 0-3 Running". */
  told(): string[] {
    return this.rows.map((row) =>
      row.type === "attempt"
        ? `attempt ${row.item}/${row.attempt} ${row.result} ${row.reason}`
        : `${row.scope}${row.scope === "Items" ? ` ${row.items}` : ""} ${row.state}${row.reason === "" ? "" : ` ${row.reason}`}`,
    );
  }

  #newTeller(): TraceTeller {
    return createTraceTeller({ write: (rows) => void this.rows.push(...rows) });
  }
}
