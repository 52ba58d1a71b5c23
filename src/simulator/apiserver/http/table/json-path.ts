/**
 * Kubernetes' JSONPath as printer columns use it: fields (`.spec.x`, `['a.b']`, `.a\.b`), elements and slices (`[0]`, `[-1]`, `[1:3]`),
 * wildcards, recursive descent (`..name`) and filters (`[?(@.type=="Ready")]`, also `<`, `<=`, `>`, `>=`, `!=` and mere existence).
 */

type Step =
  | { readonly kind: "field"; readonly name: string }
  | { readonly kind: "slice"; readonly from: number | undefined; readonly to: number | undefined }
  | { readonly kind: "index"; readonly at: number }
  | { readonly kind: "wildcard" }
  | { readonly kind: "recursive" }
  | { readonly kind: "filter"; readonly left: Operand; readonly operator: string; readonly right: Operand };

type Operand = { readonly kind: "path"; readonly steps: readonly Step[] } | { readonly kind: "value"; readonly value: unknown };

/** A path ready to be evaluated many times. */
export interface JsonPath {
  /** All values that the path leads to. Throws where Kubernetes fails too, such as a filter on what is no list. */
  evaluate(root: unknown): readonly unknown[];
}

/** Reads a path with its leading dot and without braces. Throws SyntaxError when it cannot be read. */
export function parseJsonPath(text: string): JsonPath {
  const steps = parseSteps(text);
  return { evaluate: (root) => walk([root], steps) };
}

function parseSteps(text: string): readonly Step[] {
  const steps: Step[] = [];
  let position = text.startsWith("$") || text.startsWith("@") ? 1 : 0;
  while (position < text.length) {
    if (text.startsWith("..", position)) {
      steps.push({ kind: "recursive" });
      // what follows the two dots is read as an ordinary step
      position += text[position + 2] === "[" ? 2 : 1;
    } else if (text[position] === ".") {
      const name = fieldName(text, position + 1);
      if (name.end > position + 1) steps.push(name.value === "*" ? { kind: "wildcard" } : { kind: "field", name: name.value });
      else if (position + 1 < text.length && text[position + 1] !== "[") throw unreadable(text, position);
      position = name.end;
    } else if (text[position] === "[") {
      const end = closingBracket(text, position);
      steps.push(bracketStep(text.slice(position + 1, end).trim(), text));
      position = end + 1;
    } else {
      throw unreadable(text, position);
    }
  }
  return steps;
}

function fieldName(text: string, start: number): { readonly value: string; readonly end: number } {
  let value = "";
  let position = start;
  while (position < text.length) {
    const character = text[position] ?? "";
    if (character === "." || character === "[") break;
    if (character === "\\" && position + 1 < text.length) {
      value += text[position + 1];
      position += 2;
      continue;
    }
    if (/[\s\]{}()=<>!?"']/.test(character)) throw unreadable(text, position);
    value += character;
    position++;
  }
  return { value, end: position };
}

function closingBracket(text: string, start: number): number {
  let depth = 0;
  let quote = "";
  for (let position = start; position < text.length; position++) {
    const character = text[position] ?? "";
    if (quote !== "") {
      if (character === "\\") position++;
      else if (character === quote) quote = "";
    } else if (character === '"' || character === "'") quote = character;
    else if (character === "[") depth++;
    else if (character === "]" && --depth === 0) return position;
  }
  throw new SyntaxError(`"${text}" has a bracket that is not closed`);
}

function bracketStep(content: string, whole: string): Step {
  if (content === "*") return { kind: "wildcard" };
  const quoted = /^(['"])(.*)\1$/s.exec(content);
  if (quoted) return { kind: "field", name: withoutEscapes(quoted[2] ?? "") };
  if (/^-?\d+$/.test(content)) return { kind: "index", at: Number(content) };
  const slice = /^(-?\d+)?:(-?\d+)?$/.exec(content);
  if (slice) return { kind: "slice", from: numberOrAbsent(slice[1]), to: numberOrAbsent(slice[2]) };
  const filter = /^\?\((.*)\)$/s.exec(content);
  if (filter) return filterStep((filter[1] ?? "").trim());
  throw new SyntaxError(`"${whole}" has brackets with "${content}", which are not understood`);
}

function filterStep(expression: string): Step {
  // an operator inside of a quoted text is none
  const comparison = /^((?:[^<>=!"']|"[^"]*"|'[^']*')*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$/s.exec(expression);
  if (!comparison) return { kind: "filter", left: operand(expression), operator: "exists", right: { kind: "value", value: true } };
  return {
    kind: "filter",
    left: operand((comparison[1] ?? "").trim()),
    operator: comparison[2] ?? "",
    right: operand((comparison[3] ?? "").trim()),
  };
}

function operand(text: string): Operand {
  if (text.startsWith("@")) return { kind: "path", steps: parseSteps(text) };
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  if (quoted) return { kind: "value", value: withoutEscapes(quoted[2] ?? "") };
  if (text === "true" || text === "false") return { kind: "value", value: text === "true" };
  if (/^-?\d+(\.\d+)?$/.test(text)) return { kind: "value", value: Number(text) };
  throw new SyntaxError(`"${text}" is neither a path nor a value`);
}

function walk(start: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  let values = start;
  for (const step of steps) values = values.flatMap((value) => take(value, step));
  return values;
}

function take(value: unknown, step: Step): readonly unknown[] {
  if (value === null || value === undefined) return [];
  switch (step.kind) {
    case "field": {
      if (typeof value !== "object" || Array.isArray(value) || !Object.hasOwn(value, step.name)) return [];
      return [(value as Record<string, unknown>)[step.name]];
    }
    case "index": {
      const list = asList(value);
      const at = step.at < 0 ? step.at + list.length : step.at;
      if (at < 0 || at >= list.length) throw new RangeError(`array index out of bounds: index ${step.at}, length ${list.length}`);
      return [list[at]];
    }
    case "slice":
      return asList(value).slice(step.from, step.to);
    case "wildcard":
      return typeof value === "object" ? Object.values(value) : [];
    case "recursive":
      return descendants(value);
    case "filter":
      return asList(value).filter((element) => passes(element, step));
  }
}

function descendants(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return [value, ...Object.values(value).flatMap(descendants)];
}

function passes(element: unknown, filter: Extract<Step, { readonly kind: "filter" }>): boolean {
  const lefts = operandValues(filter.left, element);
  if (filter.operator === "exists") return lefts.length > 0;
  const rights = operandValues(filter.right, element);
  if (lefts.length === 0 || rights.length === 0) return false;
  if (lefts.length > 1 || rights.length > 1) throw new TypeError("can only compare one element at a time");
  return compare(lefts[0], filter.operator, rights[0]);
}

function operandValues(side: Operand, element: unknown): readonly unknown[] {
  return side.kind === "value" ? [side.value] : walk([element], side.steps);
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (typeof left !== typeof right || (typeof left === "object" && left !== null)) throw new TypeError("incompatible types for comparison");
  if (operator === "==") return left === right;
  if (operator === "!=") return left !== right;
  const smaller = left as number | string;
  const greater = right as number | string;
  if (operator === "<") return smaller < greater;
  if (operator === "<=") return smaller <= greater;
  return operator === ">" ? smaller > greater : smaller >= greater;
}

function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError("value is not array or slice");
  return value;
}

function numberOrAbsent(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function withoutEscapes(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

function unreadable(text: string, position: number): SyntaxError {
  return new SyntaxError(`"${text}" cannot be read as a path from character ${position + 1} on`);
}
