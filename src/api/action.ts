import type { ExecutorTarget, ExecutorTask } from "./executor.ts";
import type { JsonPatchOperation } from "./json-patch.ts";
import type { KubeObject, ObjectRef } from "./meta.ts";
import type { Resource } from "./resource.ts";

/**
 * What a plan may ask for. A plan is data: it can be printed, compared, kept in a trace and shown to people. Each tag has one handler
 * in the applier; actions of one plan are carried out side by side in no order, since a plan never holds both a record and the act that
 * the record allows (decision 6).
 */
export type Action =
  | CreateAction
  | ReplaceAction
  | DryRunAction
  | ProbeAction
  | DeleteAction
  | DeleteCollectionAction
  | PatchAction
  | MergeAction
  | StatusAction
  | EventAction
  | DispatchAction
  | RecallAction;

/** Creates an object whose name is a function of what it is for, so that doing it twice ends as AlreadyExists. */
export interface CreateAction {
  readonly tag: "create";
  readonly resource: Resource;
  readonly object: KubeObject;
  /**
   * Names actions that share a fate: when the API server refuses one of a lane for quota, those of the lane that were not sent yet are
   * given up (decision 49). Absent = a fate of its own.
   */
  readonly lane?: string;
  /** How many of the lane may be under way at once; absent = no limit of its own. */
  readonly laneLimit?: number;
}

/** Puts an object in the place of the version that it was planned from: its resourceVersion is the precondition. */
export interface ReplaceAction {
  readonly tag: "replace";
  readonly resource: Resource;
  readonly object: KubeObject;
}

/** Asks the API server whether it would take an object, with strict validation; nothing is stored. Ends as `done` or with the refusal. */
export interface DryRunAction {
  readonly tag: "dryRun";
  readonly resource: Resource;
  readonly object: KubeObject;
  /** The field of the root that the object was made from, for messages; absent = spec.template. */
  readonly path?: string;
}

/** Reads an object past every cache: `done` when it exists, `gone` when it does not, or is another one than was meant. Caches have what was read. */
export interface ProbeAction {
  readonly tag: "probe";
  readonly resource: Resource;
  readonly ref: ObjectRef;
  /** The object that is asked about, where a namesake is not meant. */
  readonly uid?: string;
  /** A pod that has ended, and stands there only for its logs, counts as gone. */
  readonly endedIsGone?: true;
}

/** An object as it must still be when an act is carried out that relies on it. */
export interface Premise {
  readonly resource: Resource;
  readonly ref: ObjectRef;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Deletes one object, never a namesake: the UID is a precondition. Absent already is success. */
export interface DeleteAction {
  readonly tag: "delete";
  readonly resource: Resource;
  readonly ref: ObjectRef;
  readonly uid: string;
  /** Only as it was when this was planned: a program that has ended meanwhile must not lose its end. Else it ends as `conflict`. */
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  /** Read past every cache first; when one is not as it was, nothing is done, and it ends as `conflict`. */
  readonly provided?: readonly Premise[];
}

/** Deletes what matches the labels when the server executes it, so the labels must name ended runs only (decision 3). */
export interface DeleteCollectionAction {
  readonly tag: "deleteCollection";
  readonly resource: Resource;
  readonly namespace: string;
  readonly labelSelector: string;
  readonly limit: number;
}

/**
 * Changes an object by a JSON Patch, never a namesake: the UID is tested first. The operations test whatever must still be true of it; when
 * something is not, it ends as `conflict`.
 */
export interface PatchAction {
  readonly tag: "patch";
  readonly resource: Resource;
  readonly ref: ObjectRef;
  readonly uid: string;
  /** The version that it was planned from: when it is still the same, a refusal is about the patch itself, and ends as `invalid`. */
  readonly resourceVersion: string;
  readonly operations: readonly JsonPatchOperation[];
  /** Looked for past every cache right before: when there is one, nothing is written, and it ends as `conflict`. */
  readonly unless?: { readonly resource: Resource; readonly labelSelector: string; readonly fieldSelector: string };
}

/**
 * Changes fields of an object by a strategic merge patch (lists by their keys, null removes), only in the version that it was planned from: else it
 * ends as `conflict`.
 */
export interface MergeAction {
  readonly tag: "merge";
  readonly resource: Resource;
  readonly ref: ObjectRef;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Such as resize; absent = the object itself. */
  readonly subresource?: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Tells people about something; lost without harm. */
export interface EventAction {
  readonly tag: "event";
  readonly regarding: KubeObject;
  readonly type: "Normal" | "Warning";
  /** PascalCase, from api/reasons.ts. */
  readonly reason: string;
  /** A sentence that says the next step, at most 1,024 characters. */
  readonly note: string;
}

/** An act about a task at an executor. It is `done` once it is taken up: what becomes of the task is told by the dispatcher. */
export interface TaskAction {
  readonly tag: "dispatch" | "recall";
  readonly job: ObjectRef;
  readonly jobUid: string;
  /** Names the attempt within its job: run, item and attempt, joined by slashes. */
  readonly key: string;
  /** Without its token, which no plan holds. */
  readonly target: Omit<ExecutorTarget, "token">;
  /** In the namespace of the job; absent = the executor wants none. */
  readonly tokenSecretRef?: { readonly name: string; readonly key: string };
  readonly task: ExecutorTask;
  /** The first round of the task that is not known to be over (repeatWhileContinue), from 1. */
  readonly round: number;
  /** Until when the executor answers a repeated task with the result of the first time: before that it may be handed over once more. 0 = never. */
  readonly remembersUntil: number;
  /** There is another round as long as the handler says so. */
  readonly repeats: boolean;
  /** A leader before this one may have handed it over: what became of it is asked first. */
  readonly asksFirst: boolean;
  /** Nobody knows whether anybody handed it over: where its executor knows nothing of it, it ends as NeverBegun. Absent = it is to be done. */
  readonly isUncertain?: true;
  /** Wall time in milliseconds at which a task is given up that an executor which does not remember never said to have. */
  readonly givenUpAt: number;
}

/** Hands a task whose record is stored over to an executor, and follows it to its end. Twice is once. */
export interface DispatchAction extends TaskAction {
  readonly tag: "dispatch";
}

/** Asks an executor to end a task, and follows it to its end. */
export interface RecallAction extends TaskAction {
  readonly tag: "recall";
}

/** A merge patch of the status that was planned from `object`; its resourceVersion is the precondition (decision 5). */
export interface StatusWrite {
  readonly resource: Resource;
  readonly object: KubeObject;
  /** The value of `status` in the merge patch: null removes a field. */
  readonly status: Readonly<Record<string, unknown>>;
}

/** The status write of another object than the root of the plan. Ends as `conflict` also when that object is gone. */
export interface StatusAction extends StatusWrite {
  readonly tag: "status";
  /** As in {@link DeleteAction}. */
  readonly provided?: readonly Premise[];
}

/** What a controller's plan function returns. */
export interface Plan {
  readonly actions: readonly Action[];
  readonly status?: StatusWrite;
  /** Wall time in milliseconds at which to plan again without anything having changed. */
  readonly wakeAt?: number;
  /** Why this plan is what it is, for logs and people; constant words first. */
  readonly reasons: readonly string[];
}

/** How an action or a status write ended; what a controller wants to know of it at its next observation. */
export type ActionOutcome =
  | { readonly kind: "done" }
  /** AlreadyExists with our owner's UID in it: as good as done. */
  | { readonly kind: "exists" }
  /** AlreadyExists, and the object is somebody else's. */
  | { readonly kind: "nameTaken" }
  /** 403: quota, LimitRange, PodSecurity, a webhook. True now, perhaps not later. */
  | { readonly kind: "forbidden"; readonly message: string; readonly quota: boolean; readonly namespaceTerminating: boolean }
  /** 400 or 422: the object itself is wrong. */
  | { readonly kind: "invalid"; readonly message: string }
  /** 409 on a write with a precondition: what was planned from is no longer true. */
  | { readonly kind: "conflict" }
  /** The object to be changed is gone. */
  | { readonly kind: "gone" }
  /** Given up unsent because its lane was refused. */
  | { readonly kind: "withdrawn" }
  /** Anything else; it may or may not have happened. The reconcile is repeated with back-off. */
  | { readonly kind: "failed"; readonly error: unknown };

export interface ActionResult {
  readonly action: Action;
  readonly outcome: ActionOutcome;
}
