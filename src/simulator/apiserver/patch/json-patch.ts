import { isFields, sameJson } from "../json.ts";

/** A JSON patch (RFC 6902) that does not fit: an unknown operation, a path that is not there, a `test` that fails. */
export class JsonPatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "JsonPatchError";
  }
}

/** The document after the patch; the given one is not changed. Throws JsonPatchError, and then nothing is done. */
export function applyJsonPatch(document: unknown, operations: readonly unknown[]): unknown {
  let result = document;
  for (const operation of operations) {
    if (!isFields(operation) || typeof operation.op !== "string" || typeof operation.path !== "string")
      throw new JsonPatchError("an operation needs op and path");
    const path = pointer(operation.path);
    switch (operation.op) {
      case "add":
        result = add(result, path, required(operation.value, operation.path));
        break;
      case "replace":
        result = replace(result, path, required(operation.value, operation.path));
        break;
      case "remove":
        result = remove(result, path);
        break;
      case "test": {
        const found = lookup(result, path);
        const wanted = operation.value ?? null;
        if (!sameJson(found ?? null, wanted)) throw new JsonPatchError(`testing value ${operation.path} failed: test failed`);
        break;
      }
      case "move":
      case "copy": {
        if (typeof operation.from !== "string") throw new JsonPatchError(`${operation.op} needs from`);
        const from = pointer(operation.from);
        const value = lookup(result, from);
        if (value === undefined) throw new JsonPatchError(`${operation.op} operation: missing path ${operation.from}`);
        if (operation.op === "move") result = remove(result, from);
        result = add(result, path, value);
        break;
      }
      default:
        throw new JsonPatchError(`unexpected kind: ${operation.op}`);
    }
  }
  return result;
}

function required(value: unknown, path: string): unknown {
  if (value === undefined) throw new JsonPatchError(`missing value for ${path}`);
  return value;
}

function pointer(text: string): readonly string[] {
  if (text === "") return [];
  if (!text.startsWith("/")) throw new JsonPatchError(`a path begins with "/": ${text}`);
  return text
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function lookup(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const part of path) {
    if (Array.isArray(current)) current = (current as readonly unknown[])[index(part, current.length)];
    else if (isFields(current)) current = current[part];
    else throw new JsonPatchError(`missing path ${path.join("/")}`);
  }
  return current;
}

function index(part: string, length: number): number {
  if (!/^(0|[1-9]\d*)$/.test(part)) throw new JsonPatchError(`${part} is no index of a list`);
  const at = Number(part);
  if (at >= length) throw new JsonPatchError(`index ${at} is beyond the list of ${length}`);
  return at;
}

type Change = (container: unknown, last: string) => unknown;

/** Rebuilds what leads to the last part of the path. */
function changeAt(value: unknown, path: readonly string[], change: Change): unknown {
  const [part, ...rest] = path;
  if (part === undefined) throw new JsonPatchError("the whole document cannot be the target");
  if (rest.length === 0) return change(value, part);
  if (Array.isArray(value)) {
    const copy = [...(value as readonly unknown[])];
    const at = index(part, copy.length);
    copy[at] = changeAt(copy[at], rest, change);
    return copy;
  }
  if (!isFields(value) || value[part] === undefined || value[part] === null) throw new JsonPatchError(`missing path: ${part}`);
  return { ...value, [part]: changeAt(value[part], rest, change) };
}

function add(document: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  return changeAt(document, path, (container, last) => {
    if (Array.isArray(container)) {
      const items = container as readonly unknown[];
      if (last === "-") return [...items, value];
      const at = index(last, items.length + 1);
      return [...items.slice(0, at), value, ...items.slice(at)];
    }
    if (!isFields(container)) throw new JsonPatchError(`cannot add ${last} to what is no object and no list`);
    return { ...container, [last]: value };
  });
}

function replace(document: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  return changeAt(document, path, (container, last) => {
    if (Array.isArray(container)) {
      const items = [...(container as readonly unknown[])];
      items[index(last, items.length)] = value;
      return items;
    }
    if (!isFields(container) || container[last] === undefined)
      throw new JsonPatchError(`replace operation does not apply: missing key ${last}`);
    return { ...container, [last]: value };
  });
}

function remove(document: unknown, path: readonly string[]): unknown {
  return changeAt(document, path, (container, last) => {
    if (Array.isArray(container)) {
      const items = container as readonly unknown[];
      const at = index(last, items.length);
      return [...items.slice(0, at), ...items.slice(at + 1)];
    }
    if (!isFields(container) || container[last] === undefined)
      throw new JsonPatchError(`remove operation does not apply: missing key ${last}`);
    const { [last]: _gone, ...rest } = container;
    return rest;
  });
}
