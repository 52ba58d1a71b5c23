import type { KubeObject } from "../../../../api/meta.ts";
import { type LabelSelector, selectorText } from "../../../../api/label-selector.ts";
import { ageSince } from "./age.ts";
import { ageColumn, column, nameColumn, type RowPrinter } from "./columns.ts";

/** Who may do what, and what is asked before it is done: bindings of roles, policies, webhooks (pkg/printers/internalversion of Kubernetes). */

interface RoleBinding extends KubeObject {
  readonly roleRef?: { readonly kind?: string; readonly name?: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

interface Webhooks extends KubeObject {
  readonly webhooks?: readonly unknown[];
}

interface Policy extends KubeObject {
  readonly spec?: {
    readonly paramKind?: { readonly apiVersion?: string; readonly kind?: string };
    readonly validations?: readonly unknown[];
    readonly mutations?: readonly unknown[];
  };
}

interface PolicyBinding extends KubeObject {
  readonly spec?: {
    readonly policyName?: string;
    readonly paramRef?: { readonly name?: string; readonly namespace?: string; readonly selector?: LabelSelector };
  };
}

/** RoleBindings and ClusterRoleBindings as `kubectl get` shows them. */
export const roleBindingPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Role", "The role that is given."),
    ageColumn,
    column("Users", "Users in the roleBinding", { wide: true }),
    column("Groups", "Groups in the roleBinding", { wide: true }),
    column("ServiceAccounts", "ServiceAccounts in the roleBinding", { wide: true }),
  ],
  cells: (object, now) => {
    const { metadata, roleRef, subjects = [] } = object as RoleBinding;
    const named = ({ kind, namespace = "", name }: (typeof subjects)[number]) =>
      kind === "ServiceAccount" ? `${namespace}/${name}` : name;
    const of = (kind: string) =>
      subjects
        .filter((subject) => subject.kind === kind)
        .map(named)
        .join(", ");
    const role = `${roleRef?.kind ?? ""}/${roleRef?.name ?? ""}`;
    return [metadata.name, role, ageSince(metadata.creationTimestamp, now), of("User"), of("Group"), of("ServiceAccount")];
  },
};

/** Configurations of webhooks as `kubectl get` shows them. */
export const webhooksPrinter: RowPrinter = {
  columns: [nameColumn, column("Webhooks", "How many webhooks it registers.", { type: "integer" }), ageColumn],
  cells: (object, now) => {
    const { metadata, webhooks = [] } = object as Webhooks;
    return [metadata.name, webhooks.length, ageSince(metadata.creationTimestamp, now)];
  },
};

/** Policies as `kubectl get` shows them. */
export const policyPrinter = (rules: "validations" | "mutations"): RowPrinter => ({
  columns: [
    nameColumn,
    column(rules === "validations" ? "Validations" : "Mutations", "How many rules it has.", { type: "integer" }),
    column("ParamKind", "The kind of its parameters."),
    ageColumn,
  ],
  cells: (object, now) => {
    const { metadata, spec } = object as Policy;
    const { paramKind } = spec ?? {};
    const kind = paramKind === undefined ? "<unset>" : `${paramKind.apiVersion ?? ""}/${paramKind.kind ?? ""}`;
    return [metadata.name, spec?.[rules]?.length ?? 0, kind, ageSince(metadata.creationTimestamp, now)];
  },
});

/** Bindings of policies as `kubectl get` shows them. */
export const policyBindingPrinter: RowPrinter = {
  columns: [nameColumn, column("PolicyName", "The policy that is in force."), column("ParamRef", "Its parameters."), ageColumn],
  cells: (object, now) => {
    const { metadata, spec } = object as PolicyBinding;
    return [metadata.name, spec?.policyName ?? "", parametersOf(spec?.paramRef), ageSince(metadata.creationTimestamp, now)];
  },
};

/** Whether they lie in a namespace cannot be told without their kind: "*". */
function parametersOf(reference: NonNullable<PolicyBinding["spec"]>["paramRef"]): string {
  const { name = "", namespace = "", selector } = reference ?? {};
  if (name !== "") return `${namespace === "" ? "*" : namespace}/${name}`;
  return selector === undefined ? "<unset>" : selectorText(selector);
}
