import type { Pod } from "../../../api/core.ts";
import { controllerOf } from "../../../api/meta.ts";
import { annotations } from "../../../api/names.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Knowledge } from "./knowledge.ts";
import { type FleetTerms, hasFailed, imageOf, instanceOf, instancesOf, isDraining, isLiving, isToRestart, readySince } from "./terms.ts";

/** What the judge needs to know besides what a process was told. */
export interface ActSurroundings {
  readonly clock: Clock;
  /** The time by the process's own clock, which may be off. */
  processNow(process: string): number;
  /** Whether the node was being taken, or was unheard of, at any time in the last minutes: caches of nodes may be as old. */
  wasTaken(node: string): boolean;
  /** What all instances of the app once were and served with; undefined = nothing, or somebody has meddled with the records. */
  stableImage(appUid: string): string | undefined;
  say(text: string): void;
}

/** A plan's acts are sent within so long. */
const planMs = 100;
/** A pod whose deletion was asked for and failed is asked for again, and does not count meanwhile. */
const askedMs = 60_000;
/** What a process was told of so lately it may not have acted on. */
const freshMs = 1_000;

/**
 * Judges what the processes of the operator do to fleets in the moment in which they do it, by what they had been told until then:
 * 1. No deletion leaves fewer instances available than replicas - maxUnavailable, counting one that moves and its replacement as one.
 * 2. Nothing that serves is deleted without a cause, and for a move not before its replacement serves; so for each restartedAt once.
 * 3. No creation makes more live than replicas and the surge, nor more of what is rolled out than its share; none while suspended.
 */
export class ActJudge {
  readonly #around: ActSurroundings;

  constructor(around: ActSurroundings) {
    this.#around = around;
  }

  deleting(knowledge: Knowledge, pod: Pod): void {
    const uid = pod.metadata.uid as string;
    const owner = controllerOf(pod.metadata);
    if (owner?.kind !== "RunnerApp") {
      this.#around.say(`${knowledge.name} deletes ${pod.metadata.name}, which is none of its pods`);
      return;
    }
    const known = knowledge.termsOf(owner.uid);
    // Asked for again, because nothing of the first time was seen.
    if (known.length === 0 || knowledge.asked.has(uid)) return;
    this.#judgeLoss(knowledge, pod, known);
  }

  closing(knowledge: Knowledge, pod: Pod): void {
    const known = knowledge.termsOf(controllerOf(pod.metadata)?.uid ?? "");
    if (known.length > 0) this.#judgeLoss(knowledge, pod, known);
  }

  #judgeLoss(knowledge: Knowledge, pod: Pod, known: readonly FleetTerms[]): void {
    const { uid } = pod.metadata;
    const pods = knowledge.podsOf(controllerOf(pod.metadata)?.uid ?? "");
    this.#judgeBudget(knowledge, pod, known, pods);
    if (pods.some((versions) => versions.at(-1)?.metadata.uid === uid && versions.every((each) => readySince(each) !== undefined)))
      this.#judgeCause(knowledge, pod, known, pods);
  }

  #judgeBudget(knowledge: Knowledge, pod: Pod, known: readonly FleetTerms[], pods: readonly (readonly Pod[])[]): void {
    const { uid } = pod.metadata;
    const now = Math.max(this.#around.clock.now(), this.#around.processNow(knowledge.name));
    const isAvailable = (versions: readonly Pod[], { minReadyMs }: FleetTerms) =>
      versions.some((each) => (readySince(each) ?? Number.POSITIVE_INFINITY) + minReadyMs <= now);
    const own = pods.find((versions) => versions.at(-1)?.metadata.uid === uid) ?? [];
    const wrong = known.map((terms) => {
      if (!own.every((each) => isAvailable([each], terms))) return "";
      const available = pods
        .filter((versions) => isAvailable(versions, terms))
        .map((versions) => versions.at(-1) as Pod)
        .filter((each) => !knowledge.isClosing(each));
      const before = instancesOf(available).length;
      const after = instancesOf(withPairs(available, pods).filter((each) => each.metadata.uid !== uid)).filter((instance) =>
        instance.some((each) => available.includes(each)),
      ).length;
      return after < before && after < terms.least
        ? `${pod.metadata.name} goes, and leaves ${after} available where ${terms.least} should be`
        : "";
    });
    if (wrong.every((text) => text !== "")) this.#around.say(`${knowledge.name}: ${wrong.at(-1)}`);
  }

  #judgeCause(knowledge: Knowledge, pod: Pod, told: readonly FleetTerms[], pods: readonly (readonly Pod[])[]): void {
    const known = told.flatMap((terms) => [terms, ...terms.lower]);
    const now = Math.max(this.#around.clock.now(), this.#around.processNow(knowledge.name));
    const all = pods.map((versions) => versions.at(-1) as Pod).filter(isLiving);
    const served = new Set(
      pods.filter((versions) => versions.some((each) => readySince(each) !== undefined)).map((versions) => versions.at(-1)),
    );
    const stable = this.#around.stableImage(controllerOf(pod.metadata)?.uid ?? "");
    // A share is only of something that is rolled out in the place of something else.
    const shared = known.map((terms) => (stable === undefined || stable === terms.image ? { ...terms, target: terms.wanted } : terms));
    if ([...known, ...shared].some((terms) => this.#hasCause(pod, terms, all, served, now))) return;
    this.#around.say(`${knowledge.name}: ${pod.metadata.name} on ${pod.spec.nodeName} serves and goes without a cause`);
  }

  #hasCause(pod: Pod, terms: FleetTerms, all: readonly Pod[], served: ReadonlySet<Pod | undefined>, now: number): boolean {
    const { uid, annotations: notes = {} } = pod.metadata;
    if (hasFailed(pod) || isToRestart(pod, terms, now)) return true;
    // It came in the place of one that is still there: one of the two is one too many.
    if (all.some((each) => each.metadata.uid === notes[annotations.replaces])) return true;
    const isReplaced = all.some((each) => each.metadata.annotations?.[annotations.replaces] === uid && served.has(each));
    const isAsked = notes[annotations.evacuate] !== undefined || this.#around.wasTaken(pod.spec.nodeName ?? "");
    // Where nobody asks any more, the move was under way when somebody did.
    if (isReplaced) return true;
    const instances = instancesOf(all);
    const isNew = (each: Pod) => imageOf(each) === terms.image;
    const updated = instances.filter((instance) => instance.some(isNew)).length;
    const stands = terms.phase === "RolledBack" || terms.phase === "AutoPaused" || terms.phase === "Paused" || terms.paused;
    if (instances.length > terms.wanted)
      return stands || isAsked || !isNew(pod) || updated > terms.target || isTwin(pod, all) || updated === instances.length;
    // A failed canary that has to leave its node does not come back.
    if (isNew(pod)) return terms.phase === "RolledBack" || updated > terms.target || (terms.phase === "AutoPaused" && isAsked);
    // One that moves is as old as the one that serves, also where the one that comes in its place has the change.
    const old = instances.filter((instance) => !instance.every(isNew)).length;
    return !terms.paused && old > terms.wanted - terms.target;
  }

  creating(knowledge: Knowledge, pod: Pod): void {
    const owner = controllerOf(pod.metadata);
    if (owner?.kind !== "RunnerApp") {
      this.#around.say(`${knowledge.name} makes ${pod.metadata.name}, which belongs to nobody`);
      return;
    }
    const before = knowledge.termsOf(owner.uid);
    // What else its plan does is sent a moment later.
    this.#around.clock.after(planMs, () => this.#judgeCreation(knowledge, pod, owner.uid, before));
  }

  #judgeCreation(knowledge: Knowledge, pod: Pod, appUid: string, before: readonly FleetTerms[]): void {
    const known = [...before, ...knowledge.termsOf(appUid)];
    if (known.length === 0) return;
    const now = this.#around.clock.now();
    const isAsked = ({ metadata }: Pod) => now - (knowledge.asked.get(metadata.uid as string) ?? Number.NEGATIVE_INFINITY) < askedMs;
    const stays = (each: Pod) => isLiving(each) && !isAsked(each) && !isDraining(each) && !knowledge.isClosing(each);
    const told = knowledge.presentPodsOf(appUid).filter((versions) => versions.every(stays));
    const living = [...told.map((versions) => versions.at(-1) as Pod), ...knowledge.sentFor(appUid)];
    const instances = instancesOf(living);
    // The pods of a lost node are replaced besides: whether they live nobody knows.
    const lost = instances.filter(
      (instance) =>
        instance.length > 1 && instance.some((each) => this.#around.wasTaken(each.spec.nodeName ?? "") && readySince(each) === undefined),
    );
    const most = Math.max(...known.map((terms) => terms.most));
    if (living.length - lost.length > most)
      this.#around.say(`${knowledge.name}: ${pod.metadata.name} is made, and ${living.length} live where ${most} may`);
    if (known.every(({ wanted }) => wanted === 0)) this.#around.say(`${knowledge.name}: ${pod.metadata.name} is made, and none is wanted`);
    this.#judgeShare(knowledge, pod, appUid, known, instances);
  }

  /** Only where all known versions agree on what is rolled out. */
  #judgeShare(knowledge: Knowledge, pod: Pod, appUid: string, known: readonly FleetTerms[], instances: readonly (readonly Pod[])[]): void {
    const image = imageOf(pod);
    const stable = this.#around.stableImage(appUid);
    if (stable === undefined || stable === image || known.some((terms) => terms.image !== image)) return;
    if (this.#around.clock.now() - knowledge.toldAt(appUid) < freshMs) return;
    // One that is to be replaced gets its successor first, where there is a surge.
    const lasts = (each: Pod) => !hasFailed(each) && !known.some((terms) => isToRestart(each, terms, this.#around.clock.now()));
    const updated = instances.filter((instance) => instance.some((each) => imageOf(each) === image && lasts(each))).length;
    const most = Math.max(...known.map(({ target }) => target));
    if (updated > most)
      this.#around.say(`${knowledge.name}: ${pod.metadata.name} is made, and ${updated} have the change where ${most} should`);
    const stands = known.every(({ paused, phase }) => paused && phase === "Paused");
    const held = Math.max(...known.map((terms) => terms.held));
    if (stands && updated > held) this.#around.say(`${knowledge.name}: ${pod.metadata.name} is made while paused at ${held} of the change`);
  }
}

/** Another pod of the same instance lives: a deposed leader made it twice. */
const isTwin = (pod: Pod, all: readonly Pod[]): boolean => all.filter((each) => instanceOf(each) === instanceOf(pod)).length > 1;

/** Those, and pods that are not available by which they are one instance with others. */
function withPairs(available: readonly Pod[], pods: readonly (readonly Pod[])[]): readonly Pod[] {
  const all = pods.map((versions) => versions.at(-1) as Pod);
  const kept = new Set(available);
  const tied = instancesOf(all).filter((instance) => instance.some((each) => kept.has(each)));
  return tied.flat();
}
