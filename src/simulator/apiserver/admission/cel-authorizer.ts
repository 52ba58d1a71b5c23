import type { Environment } from "@marcbachmann/cel-js";
import type { Access, Decision, User } from "../authorization/rbac.ts";
import { serviceAccountGroups, serviceAccountName } from "../authorization/rbac.ts";

/** Who decides what a user may do. */
export interface Authorizer {
  authorize(user: User, access: Access): Decision;
}

type ResourceAccess = Extract<Access, { readonly resource: string }>;

/** The variable `authorizer` (pkg/cel/library/authz.go): asks what the writer, or a service account, may do. */
export class CelAuthorizer {
  readonly authorizer: Authorizer;
  readonly user: User;
  /** The check of the very resource that is written. */
  readonly requestResource: ResourceCheck;

  constructor(authorizer: Authorizer, user: User, access: ResourceAccess) {
    this.authorizer = authorizer;
    this.user = user;
    this.requestResource = new ResourceCheck(authorizer, user, access);
  }
}

class GroupCheck {
  readonly from: CelAuthorizer;
  readonly group: string;

  constructor(from: CelAuthorizer, group: string) {
    this.from = from;
    this.group = group;
  }
}

class PathCheck {
  readonly from: CelAuthorizer;
  readonly path: string;

  constructor(from: CelAuthorizer, path: string) {
    this.from = from;
    this.path = path;
  }
}

class ResourceCheck {
  readonly authorizer: Authorizer;
  readonly user: User;
  readonly access: ResourceAccess;

  constructor(authorizer: Authorizer, user: User, access: ResourceAccess) {
    this.authorizer = authorizer;
    this.user = user;
    this.access = access;
  }

  with(change: Partial<ResourceAccess>): ResourceCheck {
    return new ResourceCheck(this.authorizer, this.user, { ...this.access, ...change });
  }
}

class CheckedDecision {
  readonly decision: Decision;

  constructor(decision: Decision) {
    this.decision = decision;
  }
}

const none: ResourceAccess = { verb: "", group: "", resource: "", subresource: "", namespace: "", name: "" };

/** Declares the variable's type and its functions. */
export function addAuthorizer(environment: Environment): void {
  environment.registerType("ResourceCheck", { ctor: ResourceCheck, fields: {} } as never);
  environment.registerType("GroupCheck", { ctor: GroupCheck, fields: {} } as never);
  environment.registerType("PathCheck", { ctor: PathCheck, fields: {} } as never);
  environment.registerType("Decision", { ctor: CheckedDecision, fields: {} } as never);
  environment.registerType("Authorizer", { ctor: CelAuthorizer, fields: { requestResource: "ResourceCheck" } } as never);
  const add = (signature: string, handler: (...values: never[]) => unknown): void => {
    environment.registerFunction(signature, handler as never);
  };
  add("Authorizer.group(string): GroupCheck", (from: CelAuthorizer, group: string) => new GroupCheck(from, group));
  add("Authorizer.path(string): PathCheck", (from: CelAuthorizer, path: string) => {
    if (path.trim() === "") throw new Error("path must not be empty");
    return new PathCheck(from, path);
  });
  add("Authorizer.serviceAccount(string, string): Authorizer", (from: CelAuthorizer, namespace: string, name: string) => {
    const user = { name: serviceAccountName(namespace, name), groups: serviceAccountGroups(namespace) };
    return new CelAuthorizer(from.authorizer, user, from.requestResource.access);
  });
  add("GroupCheck.resource(string): ResourceCheck", ({ from, group }: GroupCheck, resource: string) => {
    if (resource.trim() === "") throw new Error("resource must not be empty");
    return new ResourceCheck(from.authorizer, from.user, { ...none, group, resource });
  });
  add("ResourceCheck.subresource(string): ResourceCheck", (check: ResourceCheck, subresource: string) => check.with({ subresource }));
  add("ResourceCheck.namespace(string): ResourceCheck", (check: ResourceCheck, namespace: string) => check.with({ namespace }));
  add("ResourceCheck.name(string): ResourceCheck", (check: ResourceCheck, name: string) => check.with({ name }));
  // this server's roles know no selectors: a rule allows with any of them or with none
  add("ResourceCheck.fieldSelector(string): ResourceCheck", (check: ResourceCheck) => check);
  add("ResourceCheck.labelSelector(string): ResourceCheck", (check: ResourceCheck) => check);
  add(
    "ResourceCheck.check(string): Decision",
    (check: ResourceCheck, verb: string) => new CheckedDecision(check.authorizer.authorize(check.user, { ...check.access, verb })),
  );
  add(
    "PathCheck.check(string): Decision",
    ({ from, path }: PathCheck, verb: string) => new CheckedDecision(from.authorizer.authorize(from.user, { verb, path })),
  );
  add("Decision.allowed(): bool", ({ decision }: CheckedDecision) => decision.allowed);
  add("Decision.reason(): string", ({ decision }: CheckedDecision) => decision.reason);
  // roles always come to a decision
  add("Decision.errored(): bool", () => false);
  add("Decision.error(): string", () => "");
}
