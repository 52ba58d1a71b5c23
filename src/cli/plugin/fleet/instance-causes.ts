import { IntervalSet } from "../../../base/interval-set.ts";
import { formatSeconds, parseTime } from "../../../base/time.ts";
import type { SignalKind } from "../../../runnerapp/rules/signal.ts";
import { oneLine } from "../status-text.ts";
import type { FleetCause, FleetCauseName } from "./fleet-cause.ts";
import type { FleetPicture } from "./fleet-picture.ts";
import { type Fleet, type Instance, instanceView } from "./instances.ts";

/** What ails one instance, before those with the same words are told together. */
interface Ailment {
  readonly cause: FleetCauseName;
  readonly text: string;
  readonly since?: number | undefined;
  readonly advice?: string;
}

/** What ails instances: those with the same words are told together. */
export function instanceCauses(picture: FleetPicture, fleet: Fleet, only?: (instance: Instance) => boolean): readonly FleetCause[] {
  const groups = new Map<string, { readonly ailment: Ailment; readonly numbers: string[]; since: number }>();
  for (const instance of fleet.instances) {
    if (only !== undefined && !only(instance)) continue;
    for (const ailment of ailmentsOf(instance, picture, fleet)) {
      const key = `${ailment.cause} ${ailment.text}`;
      const since = ailment.since ?? Number.POSITIVE_INFINITY;
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { ailment, numbers: [instance.number], since });
      else {
        known.numbers.push(instance.number);
        known.since = Math.min(known.since, since);
      }
    }
  }
  return [...groups.values()]
    .sort((a, b) => rank(a.ailment.cause) - rank(b.ailment.cause))
    .map(({ ailment: { cause, text, advice }, numbers, since }) => {
      const which = numbersText(numbers);
      return {
        cause,
        text: only === undefined ? `instance${numbers.length === 1 ? "" : "s"} ${which}: ${text}` : text,
        instances: which,
        ...(Number.isFinite(since) && { since: formatSeconds(since) }),
        ...(advice !== undefined && { advice }),
      };
    });
}

/** Nodes that are left out, where an instance finds none. */
export function exclusionCauses({ now, app }: FleetPicture, { records, instances }: Fleet): readonly FleetCause[] {
  const left = records.exclusion.exclusions.filter(({ until }) => until > now);
  if (left.length === 0 || !instances.some(({ has }) => has?.signal.kind === "Unschedulable")) return [];
  const nodes = left.map(({ node, failures, until }) => `${node} until ${formatSeconds(until)} (${failures} failures)`);
  return [
    {
      cause: "NodeExcluded",
      text: `nodes are left out since instances failed there: ${nodes.join(", ")}`,
      advice: `look at the node; spec.nodeExclusion of ${app.metadata.name} says how many failures exclude one, and for how long`,
    },
  ];
}

/** A kubelet needs a while to tell that a pod has ended. */
const overdueMs = 30_000;

const order: readonly FleetCauseName[] = [
  "RetriesExhausted",
  "MoveStalled",
  "Image",
  "Config",
  "CrashLoop",
  "OOMKilled",
  "NodeLost",
  "NoNode",
];
const rank = (cause: FleetCauseName): number => (order.includes(cause) ? order.indexOf(cause) : order.length);

function ailmentsOf(instance: Instance, picture: FleetPicture, fleet: Fleet): readonly Ailment[] {
  const { has, series } = instance;
  const { name } = picture.app.metadata;
  const causes: Ailment[] = [];
  if (has === undefined) {
    if (fleet.spec.suspend || instance.reason === "NotAdmitted") return [];
    if (series?.move === undefined && series?.exhaustedAt === undefined) causes.push({ cause: "NoPod", text: "has no pod yet" });
  } else if (has.facts.isDeleting) {
    // What ends in its time is nothing to tell of.
    const until = parseTime(has.pod.metadata.deletionTimestamp) ?? picture.now;
    if (picture.now < until + overdueMs) return [];
    const node = has.facts.node ?? "its node";
    const advice = `is ${node} there, and do finalizers keep the pod? kubectl describe pod ${has.pod.metadata.name}`;
    return [{ cause: "Ending", text: `its pod was to end on ${node} and is still there`, since: until, advice }];
  } else {
    const ailment = ailing(instance, has, name);
    if (ailment !== undefined) causes.push(ailment);
    if (has.move !== undefined) causes.push(moving(has.move));
  }
  if (has?.signal.kind !== "Serving") causes.push(...retrying(instance, fleet, name));
  return causes;
}

type Has = NonNullable<Instance["has"]>;

/** What is to be said of a pod by what ended or ails it. `Serving` and `Deleted` are said elsewhere. */
function ailing(instance: Instance, { pod, facts, signal }: Has, app: string): Ailment | undefined {
  const { kind, word, message, since } = signal;
  const said = [word, oneLine(message)].filter((part) => part !== "").join(": ");
  const where = facts.node === undefined ? "" : ` on ${facts.node}`;
  const image = pod.spec.containers[0]?.image ?? "";
  const logs = `kubectl nuptse logs ra/${app} -i ${instance.number}`;
  const describe = `kubectl describe pod ${pod.metadata.name}`;
  const { lastExit = "" } = instanceView(instance);
  const told: Readonly<Record<SignalKind, Omit<Ailment, "since"> | undefined>> = {
    Serving: undefined,
    Deleted: undefined,
    Unschedulable: {
      cause: "NoNode",
      text: `no node takes the pod: ${oneLine(message)}`,
      advice: "make room, or the requests smaller; kubectl nuptse node shows what is where",
    },
    Starting: { cause: "NotStarted", text: `is starting${where}${said === "" ? "" : ` (${said})`}`, advice: describe },
    StartTimeout: {
      cause: "NotStarted",
      text: `has not started${where} within spec.startTimeoutSeconds${said === "" ? "" : ` (${said})`}`,
      advice: `${describe}; another node is tried`,
    },
    ImagePull: imageAilment(image, said, app),
    ImagePullTimeout: imageAilment(image, said, app),
    ConfigError: { cause: "Config", text: `cannot be made: ${said}`, advice: "create what is named, or correct spec.template" },
    Exit: { cause: "CrashLoop", text: `its program ended: ${lastExit || said}`, advice: `${logs} --previous` },
    Completed: {
      cause: "CrashLoop",
      text: "its program ended with 0, and should go on for ever",
      advice: `${logs} --previous; for work that ends there is ElasticJob`,
    },
    OOMKilled: {
      cause: "OOMKilled",
      text: "it went over its memory limit",
      advice: `raise resources.limits.memory in spec.template; ${logs} --previous`,
    },
    NotReady: {
      cause: "NotReady",
      text: `runs${where} and is not ready${said === "" ? "" : ` (${said})`}`,
      advice: `${describe}; ${logs}`,
    },
    OutOfService: {
      cause: "OutOfService",
      text: `runs${where} and is taken out of service, before it is changed or ends`,
      advice: "nothing: it comes back, or its replacement serves",
    },
    NodeLost: {
      cause: "NodeLost",
      text: `nothing is heard of its node ${facts.node ?? ""}`,
      advice: `it is replaced as far as spec.retry.storm lets it; kubectl describe node ${facts.node ?? ""}`,
    },
    Evicted: { cause: "Dead", text: `was evicted${where}: ${said}`, advice: "it is replaced on another node; see what presses the node" },
    Disrupted: { cause: "Dead", text: `was ended${where}: ${said}`, advice: "it is replaced" },
    Rejected: { cause: "Dead", text: `the node did not take it${where}: ${said}`, advice: "it is replaced on another node" },
  };
  const one = told[kind];
  return one === undefined ? undefined : { ...one, since: since ?? facts.createdAt };
}

const imageAilment = (image: string, said: string, app: string): Omit<Ailment, "since"> => ({
  cause: "Image",
  text: `the image ${image} cannot be had (${said})`,
  advice: `is its name right, and may the node pull it? kubectl nuptse set-image ${app} <container>=<image>, or kubectl nuptse rollout undo ${app}`,
});

function moving({ node, cause, phase, since }: NonNullable<Has["move"]>): Ailment {
  const why = cause === "Lost" ? "of which nothing is heard" : `which is being taken (${cause})`;
  if (phase === "Stalled")
    return {
      cause: "MoveStalled",
      text: `cannot leave node ${node}, ${why}: no replacement serves`,
      since,
      advice: "make room elsewhere, or give the node back (kubectl uncordon, kubectl nuptse evacuate --cancel)",
    };
  const waits =
    phase === "Surging" ? "a replacement is wanted" : phase === "Waiting" ? "its replacement does not serve yet" : "it goes now";
  return { cause: "Moving", text: `leaves node ${node}, ${why}: ${waits}`, since };
}

function retrying({ series }: Instance, { spec: { retry } }: Fleet, app: string): readonly Ailment[] {
  if (series === undefined) return [];
  const { move, exhaustedAt, nodes } = series;
  if (exhaustedAt !== undefined)
    return [
      {
        cause: "RetriesExhausted",
        text: `all retries are used up; they begin anew at ${formatSeconds(exhaustedAt + retry.resetAfterMs)}`,
        since: exhaustedAt,
        advice: `correct spec.template, or try again at once: kubectl nuptse restart ${app}`,
      },
    ];
  if (move === undefined) return [];
  const tried = nodes.length === 0 ? "" : ` (failed on ${nodes.join(", ")})`;
  const where = { SameNode: "on the same node", OtherNode: "on another node", Anywhere: "wherever there is room" }[move.kind];
  if (!move.granted)
    return [
      {
        cause: "StormBrake",
        text: `is to be tried ${where}${tried}, and waits since too many instances were replaced lately`,
        since: move.decidedAt,
        advice: `spec.retry.storm lets ${retry.storm.moves} through in ${retry.storm.windowMs / 1000} s`,
      },
    ];
  return [{ cause: "Retrying", text: `is tried again ${where} at ${formatSeconds(move.notBefore)}${tried}`, since: move.decidedAt }];
}

/** "0-3,7": instances have numbers; what has not is told by its name. */
function numbersText(numbers: readonly string[]): string {
  const isNumber = (text: string) => /^\d{1,9}$/.test(text);
  const set = new IntervalSet(numbers.filter(isNumber).map(Number));
  return [...(set.size === 0 ? [] : [set.toString()]), ...new Set(numbers.filter((text) => !isNumber(text)))].join(",");
}
