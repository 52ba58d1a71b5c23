/**
 * CEL makes messages by a literal: `JSONPatch{op: "add", path: "/x"}`, `Object.spec{replicas: 1}`. The CEL library has none, so they are
 * rewritten as calls before it sees the expression: `JSONPatch_({"op": "add", ...})`, `Object_("spec", {"replicas": 1})`. Texts and
 * comments are left as they are, and so are maps, whose brace follows no name.
 */
export function withoutMessageLiterals(expression: string): string {
  const out: string[] = [];
  /** What each open bracket is: a literal's brace has names as keys. */
  const open: ("literal" | "other")[] = [];
  let at = 0;
  let expectsKey = false;
  while (at < expression.length) {
    const rest = expression.slice(at);
    const skipped = /^(\s+|\/\/[^\n]*|[rbRB]{0,2}("""[\s\S]*?"""|'''[\s\S]*?'''))/.exec(rest) ?? textAt(rest);
    if (skipped !== null) {
      out.push(skipped[0]);
      at += skipped[0].length;
      continue;
    }
    const literal = /^([A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)\s*\{/.exec(rest);
    // `x in {...}` is no literal of a message called "in"
    if (literal !== null && literal[1] !== "in") {
      out.push(callOf((literal[1] ?? "").replaceAll(/\s/g, "")));
      open.push("literal");
      expectsKey = true;
      at += literal[0].length;
      continue;
    }
    const key = expectsKey ? /^(\??)(`[^`]*`|[A-Za-z_]\w*)(\s*:)/.exec(rest) : null;
    if (key !== null) {
      out.push(`${key[1]}${JSON.stringify((key[2] ?? "").replaceAll("`", ""))}${key[3]}`);
      expectsKey = false;
      at += key[0].length;
      continue;
    }
    const name = /^[A-Za-z_]\w*(\s*\.\s*[A-Za-z_]\w*)*/.exec(rest);
    if (name !== null) {
      out.push(name[0]);
      at += name[0].length;
      continue;
    }
    const letter = expression[at] as string;
    if ("([{".includes(letter)) open.push("other");
    const closed = ")]}".includes(letter) ? open.pop() : undefined;
    out.push(closed === "literal" ? "})" : letter);
    expectsKey = letter === "," && open.at(-1) === "literal";
    at++;
  }
  return out.join("");
}

/** A text at the beginning: raw ones have no escapes. */
const textAt = (rest: string): RegExpExecArray | null =>
  /^[bB]?[rR][bB]?("[^"]*"|'[^']*')/.exec(rest) ?? /^[bB]?("(\\.|[^"\\])*"|'(\\.|[^'\\])*')/.exec(rest);

function callOf(name: string): string {
  const [root = "", ...path] = name.split(".");
  return path.length === 0 && root !== "Object" ? `${root}_({` : `${root}_(${JSON.stringify(path.join("."))}, {`;
}
