import { ConvertError } from "./conversion.ts";

/**
 * Reads an object of which nothing is known, field by field. Absent and null are the same. Each getter throws ConvertError with the field's
 * path when there is something else than it asks for; numbers and truth values are also taken from text, as tables and property files write them.
 */
export class Fields {
  readonly value: Readonly<Record<string, unknown>>;
  /** Where it stands; empty = it is the root. */
  readonly path: string;

  /** Throws ConvertError when the value is no object. */
  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new ConvertError(path, `must be an object with named fields, not ${kindOf(value)}`);
    }
    this.value = value as Readonly<Record<string, unknown>>;
    this.path = path;
  }

  /** The path of a field. */
  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  has(name: string): boolean {
    return this.value[name] !== undefined && this.value[name] !== null;
  }

  /** A nested object; an empty one when it is absent. */
  object(name: string): Fields {
    return new Fields(this.value[name] ?? {}, this.at(name));
  }

  text(name: string): string | undefined {
    const value = this.value[name] ?? undefined;
    if (value === undefined || typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw new ConvertError(this.at(name), `must be a text, not ${kindOf(value)}`);
  }

  /** A text with something in it besides blanks, trimmed. */
  word(name: string): string | undefined {
    const text = this.text(name)?.trim();
    return text === "" ? undefined : text;
  }

  integer(name: string): number | undefined {
    const value = this.value[name] ?? undefined;
    const number = typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value;
    if (number === undefined || number === "") return undefined;
    if (typeof number === "number" && Number.isSafeInteger(number)) return number;
    throw new ConvertError(this.at(name), `must be a whole number, not ${kindOf(value)}`);
  }

  /** A number with or without a fraction. */
  number(name: string): number | undefined {
    const value = this.value[name] ?? undefined;
    if (value === undefined || value === "") return undefined;
    const number = typeof value === "string" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
    throw new ConvertError(this.at(name), `must be a number, not ${kindOf(value)}`);
  }

  flag(name: string): boolean | undefined {
    const value = this.value[name] ?? undefined;
    if (value === undefined || typeof value === "boolean") return value;
    if (value === "true") return true;
    if (value === "false") return false;
    throw new ConvertError(this.at(name), `must be true or false, not ${kindOf(value)}`);
  }

  /** A list; an empty one when it is absent. */
  list(name: string): readonly unknown[] {
    const value = this.value[name] ?? [];
    if (!Array.isArray(value)) throw new ConvertError(this.at(name), `must be a list, not ${kindOf(value)}`);
    return value;
  }

  /** Names to texts, as labels are; undefined when it is absent or empty. */
  texts(name: string): Readonly<Record<string, string>> | undefined {
    const fields = this.object(name);
    const entries = Object.keys(fields.value).flatMap((key) => {
      const text = fields.text(key);
      return text === undefined ? [] : [[key, text] as const];
    });
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null || value === undefined) return "nothing";
  return typeof value === "object" ? "an object" : JSON.stringify(value);
}
