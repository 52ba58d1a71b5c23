import type { Api } from "./api.ts";

/** One rule of the API that the operator relies on, shown by what a server answers. */
export interface Row {
  /** The rule, as a sentence. */
  readonly name: string;
  /** What else must run beside the API server for the rule to show. */
  readonly needs?: "controllers";
  run(api: Api): Promise<void>;
}

/** A row. */
export const row = (name: string, run: (api: Api) => Promise<void>): Row => ({ name, run });

/** A row about what kube-controller-manager does. */
export const controllerRow = (name: string, run: (api: Api) => Promise<void>): Row => ({ name, needs: "controllers", run });
