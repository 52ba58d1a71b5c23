import type { ElasticJobSpecRetryRule } from "../api/elastic-job.gen.ts";
import { ConvertError, type Notes } from "./conversion.ts";
import { Fields } from "./fields.ts";

const actions: Readonly<Record<string, NonNullable<ElasticJobSpecRetryRule["action"]>>> = {
  FailJob: "FailRun",
  FailIndex: "FailItem",
  Ignore: "Ignore",
  Count: "Count",
};

/** The rules of a Job's podFailurePolicy, in their order; what follows which failure is the same. Throws ConvertError for an unknown action. */
export function retryRules(job: Fields, notes: Notes): readonly ElasticJobSpecRetryRule[] {
  const policy = job.object("podFailurePolicy");
  return policy.list("rules").map((entry, index) => {
    const rule = new Fields(entry, `${policy.at("rules")}[${index}]`);
    const action = actions[rule.text("action") ?? ""];
    if (action === undefined)
      throw new ConvertError(rule.at("action"), `is "${rule.text("action") ?? ""}"; it is ${Object.keys(actions).join(", ")}`);
    if (!rule.has("onExitCodes")) return { onPodConditions: conditionsOf(rule), action };
    const codes = rule.object("onExitCodes");
    if (codes.has("containerName")) {
      notes.add(
        codes.at("containerName"),
        `The exit codes of all containers are looked at, not of "${codes.text("containerName")}" alone.`,
      );
    }
    const operator = codes.text("operator");
    if (operator !== "In" && operator !== "NotIn")
      throw new ConvertError(codes.at("operator"), `is "${operator ?? ""}"; it is In or NotIn`);
    return { onExitCodes: { operator, values: codes.list("values").map(Number) }, action };
  });
}

function conditionsOf(rule: Fields): NonNullable<ElasticJobSpecRetryRule["onPodConditions"]> {
  return rule.list("onPodConditions").map((entry, index) => {
    const condition = new Fields(entry, `${rule.at("onPodConditions")}[${index}]`);
    const type = condition.text("type");
    if (type === undefined) throw new ConvertError(condition.at("type"), "is missing");
    const status = condition.text("status");
    return { type, ...((status === "False" || status === "Unknown") && { status }) };
  });
}
