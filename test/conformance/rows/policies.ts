import { configMaps, pods, type Resource } from "../../../src/api/resource.ts";
import type { Api, Reply } from "../api.ts";
import { configMap, pod } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const clusterWide = (group: string, plural: string, kind: string): Resource => ({ group, version: "v1", plural, kind, namespaced: false });
const registration = "admissionregistration.k8s.io";
const validating = clusterWide(registration, "validatingadmissionpolicies", "ValidatingAdmissionPolicy");
const validatingBindings = clusterWide(registration, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding");
const mutating = clusterWide(registration, "mutatingadmissionpolicies", "MutatingAdmissionPolicy");
const mutatingBindings = clusterWide(registration, "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding");
const rbac = "rbac.authorization.k8s.io";
const roles: Resource = { ...clusterWide(rbac, "roles", "Role"), namespaced: true };
const roleBindings: Resource = { ...clusterWide(rbac, "rolebindings", "RoleBinding"), namespaced: true };

const rule = (resources: readonly string[], operations: readonly string[]): object => ({
  apiGroups: [""],
  apiVersions: ["v1"],
  resources,
  operations,
});
const matching = (resources: readonly string[] = ["configmaps"], operations: readonly string[] = ["CREATE", "UPDATE"]): object => ({
  resourceRules: [rule(resources, operations)],
});

interface PolicyOptions {
  readonly binding?: object;
  readonly match?: object;
  /** How it is seen that the policy is in force, where a configmap called "probe" is not it. */
  readonly inForce?: (api: Api) => Promise<boolean>;
}

const probe = (api: Api): Promise<Reply> => api.create(configMaps, configMap("probe"), { query: { dryRun: "All" }, show: "nothing" });

/** Runs steps while a policy of the row's namespace is in force; it takes a real server a moment to see one. */
async function under(
  api: Api,
  kinds: readonly [Resource, Resource],
  name: string,
  spec: object,
  steps: () => Promise<void>,
  options: PolicyOptions = {},
): Promise<void> {
  const named = `${api.namespace}-${name}`;
  const [policies, bindings] = kinds;
  const matchResources = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": api.namespace } } };
  const body = { metadata: { name: named }, spec: { matchConstraints: options.match ?? matching(), ...spec } };
  await api.create(policies, body, { show: "nothing" });
  await api.create(
    bindings,
    { metadata: { name: named }, spec: { policyName: named, matchResources, ...options.binding } },
    { show: "nothing" },
  );
  try {
    await api.until("the policy is in force", () => (options.inForce ?? seen)(api));
    await steps();
  } finally {
    await api.delete(bindings, named, undefined, { show: "nothing" });
    await api.delete(policies, named, undefined, { show: "nothing" });
    await api.until("the policy is no longer in force", async () => !(await (options.inForce ?? seen)(api)));
  }
}

/** A dry run of a configmap "probe" is refused, warned of or changed. */
async function seen(api: Api): Promise<boolean> {
  const { transcript } = api;
  const before = transcript.length;
  const reply = await probe(api);
  transcript.cut(before);
  return reply.status !== 201 || reply.headers.warning !== undefined || reply.body.data?.probed !== undefined;
}

const notProbe = { expression: "!has(object.metadata.name) || object.metadata.name != 'probe'" };
const probed = {
  patchType: "JSONPatch",
  jsonPatch: {
    expression: "object.metadata.name == 'probe' ? [JSONPatch{op: 'add', path: '/data/probed', value: 'x'}] : []",
  },
};
const denying = { validationActions: ["Deny"] };

const validate = (api: Api, spec: object, steps: () => Promise<void>, options: PolicyOptions = {}): Promise<void> =>
  under(api, [validating, validatingBindings], "v", spec, steps, { binding: denying, ...options });
const mutate = (api: Api, spec: object, steps: () => Promise<void>, options: PolicyOptions = {}): Promise<void> =>
  under(api, [mutating, mutatingBindings], "m", { reinvocationPolicy: "Never", ...spec }, steps, options);
const jsonPatch = (expression: string): object => ({ patchType: "JSONPatch", jsonPatch: { expression } });
const create = (api: Api, name: string, data: Record<string, string> = { a: "1" }): Promise<Reply> =>
  api.create(configMaps, configMap(name, data), { show: ["data", "metadata.labels"] });

/** Mutations of a policy that has them beside its probe. */
const mutations = (...more: readonly object[]): object => ({ mutations: [probed, ...more] });

/** Policies: what they refuse, warn of and change, and what they are refused for themselves. */
export const policyRows: readonly Row[] = [
  row("a validating policy denies with its message, its expression's, or its expression", async (api) => {
    const validations = [
      notProbe,
      { expression: "!('b' in object.data)", message: "no b " },
      { expression: "!('c' in object.data)", messageExpression: "'no c in ' + object.metadata.name", message: "no c" },
      { expression: " size(object.data) < 3 " },
      { expression: "!('d' in object.data)", reason: "Forbidden", message: "d is forbidden" },
    ];
    await validate(api, { validations }, async () => {
      await create(api, "fine");
      await create(api, "b", { b: "1" });
      await create(api, "c", { c: "1" });
      await create(api, "d", { d: "1" });
      await create(api, "many", { e: "1", f: "2", g: "3" });
      await api.merge(configMaps, "fine", { data: { b: "2" } });
      await api.create(configMaps, { metadata: { generateName: "made-" }, data: { b: "1" } }, { show: "reason" });
    });
  }),
  row("a validating policy may only warn", async (api) => {
    const validations = [notProbe, { expression: "!('b' in object.data)", message: "better without b" }];
    await validate(api, { validations }, () => create(api, "b", { b: "1" }).then(() => undefined), {
      binding: { validationActions: ["Warn", "Audit"] },
    });
  }),
  row("a validating policy compares with the old object, and sees deletions", async (api) => {
    const validations = [
      { expression: "request.operation != 'CREATE' || object.metadata.name != 'probe'" },
      { expression: "request.operation != 'UPDATE' || object.data.a == oldObject.data.a", message: "a stays" },
      { expression: "request.operation != 'DELETE' || (object == null && !('keep' in oldObject.data))", message: "kept" },
    ];
    await validate(
      api,
      { validations },
      async () => {
        await create(api, "one", { a: "1", keep: "x" });
        await api.merge(configMaps, "one", { data: { b: "2" } }, { show: ["data"] });
        await api.merge(configMaps, "one", { data: { a: "2" } });
        await api.delete(configMaps, "one");
        await api.merge(configMaps, "one", { data: { keep: null } }, { show: "nothing" });
        await api.delete(configMaps, "one", undefined, { show: ["status"] });
      },
      { match: matching(["configmaps"], ["*"]) },
    );
  }),
  row("a validating policy has variables and conditions, and sees the request and the namespace", async (api) => {
    const spec = {
      matchConditions: [{ name: "not-exempt", expression: "object.metadata.name != 'exempt'" }],
      variables: [
        { name: "size", expression: "size(object.data)" },
        { name: "big", expression: "variables.size > 2" },
      ],
      validations: [
        notProbe,
        { expression: "!variables.big", messageExpression: "string(variables.size) + ' are too many in ' + namespaceObject.metadata.name" },
        {
          expression:
            "request.resource.resource == 'configmaps' && request.kind.kind == 'ConfigMap' && request.namespace == object.metadata.namespace",
        },
        { expression: "request.name == object.metadata.name && request.dryRun == false && has(request.userInfo.username)" },
        { expression: "object.kind == 'ConfigMap' && object.apiVersion == 'v1' && oldObject == null" },
      ],
    };
    await validate(api, spec, async () => {
      await create(api, "fine");
      await create(api, "big", { a: "1", b: "2", c: "3" });
      await create(api, "exempt", { a: "1", b: "2", c: "3" });
    });
  }),
  row("a validating policy compares what may be absent", async (api) => {
    const validations = [
      notProbe,
      {
        expression: "request.operation == 'CREATE' || object.metadata.?labels['q'] == oldObject.metadata.?labels['q']",
        message: "q stays",
      },
      { expression: "request.operation == 'CREATE' || !(object.?immutable != oldObject.?immutable)", message: "immutable stays" },
    ];
    await validate(api, { validations }, async () => {
      await create(api, "one");
      await api.merge(configMaps, "one", { data: { b: "2" } }, { show: ["data"] });
      await api.merge(configMaps, "one", { metadata: { labels: { q: "x" } } });
      await api.merge(configMaps, "one", { immutable: true });
      await api.create(configMaps, configMap("two", { a: "1" }, { labels: { q: "x" } }), { show: "nothing" });
      await api.merge(configMaps, "two", { data: { b: "2" } }, { show: ["data"] });
      await api.merge(configMaps, "two", { metadata: { labels: { q: "y" } } });
      await api.merge(configMaps, "two", { metadata: { labels: { q: null } } });
    });
  }),
  row("a validating policy that fails refuses, or is ignored", async (api) => {
    const validations = [notProbe, { expression: "object.data.missing == 'x'" }];
    await validate(api, { validations }, () => create(api, "one").then(() => undefined));
    await validate(api, { validations, failurePolicy: "Ignore" }, () => create(api, "two").then(() => undefined));
  }),
  row("a validating policy has parameters", async (api) => {
    const spec = {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      validations: [
        notProbe,
        { expression: "!('a' in object.data) || object.data.a != params.data.forbidden", message: "forbidden by parameter" },
      ],
    };
    await api.create(configMaps, configMap("params", { forbidden: "7" }), { show: "nothing" });
    const paramRef = { name: "params", parameterNotFoundAction: "Deny" };
    await validate(
      api,
      spec,
      async () => {
        await create(api, "six", { a: "6" });
        await create(api, "seven", { a: "7" });
      },
      { binding: { ...denying, paramRef } },
    );
    await validate(api, spec, () => create(api, "eight").then(() => undefined), {
      binding: { ...denying, paramRef: { ...paramRef, name: "absent" } },
    });
  }),
  row("a policy asks what a service account, and the writer, may do", async (api) => {
    const account = (name: string): string =>
      `authorizer.serviceAccount('${api.namespace}', '${name}').group('').resource('pods').namespace('${api.namespace}')`;
    await api.create(
      roles,
      { metadata: { name: "r" }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["create"], resourceNames: [] }] },
      { show: "nothing" },
    );
    const subjects = [{ kind: "ServiceAccount", name: "alice", namespace: api.namespace }];
    const roleRef = { apiGroup: rbac, kind: "Role", name: "r" };
    await api.create(roleBindings, { metadata: { name: "r" }, subjects, roleRef }, { show: "nothing" });
    const validations = [
      notProbe,
      { expression: `!has(object.data.as) || ${account("alice")}.check(object.data.as).allowed()`, message: "alice may not" },
      { expression: `!has(object.data.as) || !${account("bob")}.check('create').allowed()`, message: "bob may" },
      { expression: `!${account("alice")}.subresource('exec').check('create').allowed()`, message: "alice may exec" },
      { expression: "authorizer.requestResource.check('delete').allowed()", message: "the writer may not" },
      { expression: "authorizer.path('/metrics').check('get').allowed()", message: "the writer may not read metrics" },
    ];
    await api.until("the role is in force", async () => {
      const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" };
      const attributes = { namespace: api.namespace, verb: "create", resource: "pods" };
      const before = api.transcript.length;
      const { body } = await api.request("review", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        ...review,
        spec: { user: `system:serviceaccount:${api.namespace}:alice`, resourceAttributes: attributes },
      });
      api.transcript.cut(before);
      return body.status?.allowed === true;
    });
    await validate(api, { validations }, async () => {
      await create(api, "may", { as: "create" });
      await create(api, "may-not", { as: "delete" });
    });
  }),
  row("a mutating policy patches, and what it adds belongs to nobody", async (api) => {
    const spec = mutations(
      jsonPatch("[JSONPatch{op: 'add', path: '/data/added', value: object.metadata.name + '!'}]"),
      jsonPatch("has(object.data.a) ? [JSONPatch{op: 'replace', path: '/data/a', value: string(size(object.data))}] : []"),
      jsonPatch("[JSONPatch{op: 'test', path: '/data/a', value: 'no'}, JSONPatch{op: 'remove', path: '/data/a'}]"),
      jsonPatch("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'made/by': 'policy'}}]"),
    );
    await mutate(api, spec, async () => {
      await create(api, "one");
      await api.get(configMaps, "one", { show: ["data", "metadata.labels", "metadata.managedFields.*.fieldsV1"] });
      await api.merge(configMaps, "one", { data: { b: "2" } }, { show: ["data"] });
      await api.apply(configMaps, "applied", "m1", { data: { z: "1" } }, { show: ["data"] });
    });
  }),
  row("a mutating policy puts a gate on pods", async (api) => {
    const gate = "JSONPatch{op: 'add', path: '/spec/schedulingGates', value: [{'name': 'conformance.nuptse.dev/gate'}]}";
    const label = "JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: 'c'}";
    const spec = {
      matchConditions: [{ name: "labelled", expression: "has(object.metadata.labels) && 'queue' in object.metadata.labels" }],
      mutations: [jsonPatch(`[${gate}, ${label}]`)],
    };
    const queued = (name: string): Record<string, unknown> => pod(name, { metadata: { labels: { queue: "q" } } });
    const inForce = async (): Promise<boolean> => {
      const { body } = await api.create(pods, queued("probe"), { query: { dryRun: "All" }, show: "nothing" });
      return body.spec?.schedulingGates !== undefined;
    };
    await mutate(
      api,
      spec,
      async () => {
        await api.create(pods, queued("a"), { show: ["spec.schedulingGates", "metadata.labels", "status.conditions.*.reason"] });
        await api.create(pods, pod("b"), { show: ["spec.schedulingGates", "metadata.labels"] });
      },
      { match: matching(["pods"], ["CREATE"]), inForce },
    );
  }),
  row("a mutating policy applies a configuration", async (api) => {
    const configuration = (expression: string): object => ({ patchType: "ApplyConfiguration", applyConfiguration: { expression } });
    const spec = mutations(configuration("Object{metadata: Object.metadata{labels: {'set': object.data.a}}}"));
    await mutate(api, spec, async () => {
      await create(api, "one");
      await api.create(configMaps, configMap("two", { a: "2" }, { labels: { own: "x" } }), { show: ["metadata.labels"] });
    });
    const containers = "object.spec.containers.map(c, Object.spec.containers{name: c.name, imagePullPolicy: 'Never'})";
    const inForce = async (): Promise<boolean> => {
      const { body } = await api.create(pods, pod("probe"), { query: { dryRun: "All" }, show: "nothing" });
      return body.spec?.containers[0].imagePullPolicy === "Never";
    };
    await mutate(
      api,
      { mutations: [configuration(`Object{spec: Object.spec{containers: ${containers}}}`)] },
      () => api.create(pods, pod("a"), { show: ["spec.containers.*.imagePullPolicy", "spec.containers.*.image"] }).then(() => undefined),
      { match: matching(["pods"], ["CREATE"]), inForce },
    );
  }),
  row("a mutating policy that fails refuses, or is ignored", async (api) => {
    const spec = mutations(jsonPatch("object.metadata.name == 'probe' ? [] : [JSONPatch{op: 'remove', path: '/data/missing'}]"));
    await mutate(api, spec, () => api.create(configMaps, configMap("one"), { show: "reason" }).then(() => undefined));
    await mutate(api, { ...spec, failurePolicy: "Ignore" }, () => create(api, "two").then(() => undefined));
    const broken = mutations(
      jsonPatch("object.metadata.name == 'probe' ? [] : [JSONPatch{op: 'add', path: '/data/x', value: object.data.nope}]"),
    );
    await mutate(api, broken, () => create(api, "three").then(() => undefined));
  }),
  row("what mutating policies made is validated", async (api) => {
    const spec = mutations(jsonPatch("[JSONPatch{op: 'add', path: '/data/b', value: 'x'}]"));
    const validations = [notProbe, { expression: "!('b' in object.data)", message: "no b" }];
    const refused = async (): Promise<boolean> => {
      const before = api.transcript.length;
      const { status } = await probe(api);
      api.transcript.cut(before);
      return status !== 201;
    };
    const inner = (): Promise<void> => validate(api, { validations }, () => create(api, "one").then(() => undefined), { inForce: refused });
    await mutate(api, spec, inner);
  }),
  row("a policy is refused that says nothing, or what cannot be computed", async (api) => {
    const name = `${api.namespace}-bad`;
    const bad = (spec: object): Promise<Reply> => api.create(validating, { metadata: { name }, spec }, { show: "reason" });
    await bad({});
    await bad({ matchConstraints: matching(), validations: [] });
    await bad({ matchConstraints: matching(), validations: [{ expression: "object.nope(" }] });
    await bad({ matchConstraints: matching(), validations: [{ expression: "'text'" }] });
    await bad({ matchConstraints: matching(), validations: [{ expression: "true", reason: "Because" }] });
    await bad({ matchConstraints: matching(), validations: [{ expression: "true" }], failurePolicy: "Perhaps" });
    await bad({
      matchConstraints: { resourceRules: [{ operations: ["READ"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }] },
      validations: [{ expression: "true" }],
    });
    const worse = (spec: object): Promise<Reply> => api.create(mutating, { metadata: { name }, spec }, { show: "reason" });
    await worse({ matchConstraints: matching(), mutations: [] });
    await worse({ matchConstraints: matching(["pods"], ["DELETE"]), reinvocationPolicy: "Never", mutations: [jsonPatch("[]")] });
    await worse({ matchConstraints: matching(), reinvocationPolicy: "Never", mutations: [{ patchType: "JSONPatch" }] });
    await worse({ matchConstraints: matching(), reinvocationPolicy: "Never", mutations: [jsonPatch("'text'")] });
    await api.create(validatingBindings, { metadata: { name }, spec: {} }, { show: "reason" });
    await api.create(
      validatingBindings,
      { metadata: { name }, spec: { policyName: "p", validationActions: ["Deny", "Warn"] } },
      { show: "reason" },
    );
    await api.create(mutatingBindings, { metadata: { name }, spec: { policyName: "p", paramRef: {} } }, { show: "reason" });
    const fine = { matchConstraints: matching(), validations: [{ expression: "true" }] };
    await api.create(validating, { metadata: { name }, spec: fine }, { show: ["spec", "metadata.generation"] });
    await api.merge(validating, name, { spec: { failurePolicy: "Ignore" } }, { show: ["metadata.generation"] });
    await api.delete(validating, name, undefined, { show: ["status"] });
  }),
];
