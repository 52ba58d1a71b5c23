import type { Environment } from "@marcbachmann/cel-js";

/**
 * What Kubernetes' CEL has beyond the library: two-variable all and exists, and functions on strings and lists. Not there: quantity,
 * url, ip, cidr, semver, format, sets. A rule that uses one of those does not compile, and its CRD is refused.
 */
export function addKubernetesFunctions(environment: Environment): void {
  environment.registerFunction("declared_(dyn): bool", () => true);
  environment.registerFunction("timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp", (instant: Date) => instant);
  environment.registerFunction(
    "string.find(string): string",
    (text: string, pattern: string) => new RegExp(pattern, "u").exec(text)?.[0] ?? "",
  );
  environment.registerFunction("string.replace(string, string): string", (text: string, from: string, to: string) =>
    text.replaceAll(from, to),
  );
  environment.registerFunction("string.charAt(int): string", (text: string, at: bigint) => [...text][Number(at)] ?? "");
  environment.registerFunction("string.format(list): string", (text: string, values: readonly unknown[]) => format(text, values));
  environment.registerFunction("list.isSorted(): bool", (items: readonly (bigint | number | string)[]) =>
    items.every((item, at) => at === 0 || (items[at - 1] as bigint | number | string) <= item),
  );
  environment.registerFunction("list<int>.sum(): int", (items: readonly bigint[]) => items.reduce((sum, item) => sum + item, 0n));
  environment.registerFunction("list<double>.sum(): double", (items: readonly number[]) => items.reduce((sum, item) => sum + item, 0));
  environment.registerFunction("list<int>.distinct(): list<int>", (items: readonly bigint[]) => [...new Set(items)]);
  environment.registerFunction("list<string>.distinct(): list<string>", (items: readonly string[]) => [...new Set(items)]);
  registerQuantifier(environment, "all");
  registerQuantifier(environment, "exists");
}

function format(text: string, values: readonly unknown[]): string {
  let at = 0;
  return text.replaceAll(/%(%|(?:\.\d+)?[sdfbox])/g, (_match, verb: string) => {
    if (verb === "%") return "%";
    const value = values[at++];
    if (verb === "x") return BigInt(value as bigint).toString(16);
    if (verb === "o") return BigInt(value as bigint).toString(8);
    if (verb === "b") return typeof value === "boolean" ? String(value) : BigInt(value as bigint).toString(2);
    if (verb.endsWith("f")) return Number(value).toFixed(verb === "f" ? 6 : Number(verb.slice(1, -1)));
    return Array.isArray(value) ? `[${value.map(String).join(", ")}]` : String(value);
  });
}

/** The parts of the library that a macro meets; it declares none of them. */
interface MacroContext {
  forkWithVariable(name: string, type: unknown): MacroContext;
  reuse(context: MacroContext): MacroContext;
  setIterValue(value: unknown, evaluator: unknown): MacroContext;
}
interface MacroNode {
  readonly op: string;
  readonly args: unknown;
}
interface Checker {
  check(node: MacroNode, context: MacroContext): { readonly kind: string; readonly valueType?: unknown; readonly name?: string };
  getType(name: string): unknown;
  createError(code: string, message: string, node: MacroNode): Error;
}
interface Evaluator {
  run(node: MacroNode, context: MacroContext): unknown;
}
interface Quantifier {
  readonly receiver: MacroNode;
  readonly index: string;
  readonly item: string;
  readonly predicate: MacroNode;
  outer?: MacroContext;
  inner?: MacroContext;
}

/** `list.all(i, v, predicate)` and `list.exists(i, v, predicate)`: linear ways to compare neighbours. */
function registerQuantifier(environment: Environment, name: "all" | "exists"): void {
  const decisive = name === "exists";
  const expand = (call: { readonly args: readonly MacroNode[]; readonly receiver: MacroNode }): unknown => {
    const [index, item, predicate] = call.args;
    if (index?.op !== "id" || item?.op !== "id" || predicate === undefined)
      throw new Error(`${name}(index, item, predicate) needs two names`);
    const macro: Quantifier = { receiver: call.receiver, index: String(index.args), item: String(item.args), predicate };
    return {
      ...macro,
      async: false,
      typeCheck(checker: Checker, own: Quantifier, context: MacroContext) {
        const list = checker.check(own.receiver, context);
        if (list.kind !== "list" && list.kind !== "dyn")
          throw checker.createError("invalid_argument", `${name}() with two names needs a list`, own.receiver);
        own.outer = context.forkWithVariable(own.index, checker.getType("int"));
        own.inner = own.outer.forkWithVariable(own.item, list.valueType ?? checker.getType("dyn"));
        const result = checker.check(own.predicate, own.inner);
        if (result.name !== "bool" && result.kind !== "dyn")
          throw checker.createError("invalid_argument", `${name}() predicate must return bool`, own.predicate);
        return checker.getType("bool");
      },
      evaluate(evaluator: Evaluator, own: Quantifier, context: MacroContext) {
        const items = evaluator.run(own.receiver, context) as readonly unknown[];
        let failure: unknown;
        for (const [at, value] of items.entries()) {
          try {
            const outer = (own.outer as MacroContext).reuse(context).setIterValue(BigInt(at), evaluator);
            const inner = (own.inner as MacroContext).reuse(outer).setIterValue(value, evaluator);
            if (evaluator.run(own.predicate, inner) === decisive) return decisive;
          } catch (error) {
            failure ??= error;
          }
        }
        // an error counts only where no element decided
        if (failure !== undefined) throw failure;
        return !decisive;
      },
    };
  };
  environment.registerFunction(`list.${name}(ast, ast, ast): bool`, expand as never);
}
