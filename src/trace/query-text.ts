import { type AttemptQuery, TraceQueryError } from "./store.ts";

const texts = ["namespace", "job", "run", "cursor"] as const;
const numbers = ["from", "to", "item", "limit"] as const;

/** A query as the parameters of a URL. */
export function parametersOf(query: AttemptQuery): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const name of [...texts, ...numbers]) {
    const value = query[name];
    if (value !== undefined) parameters.set(name, String(value));
  }
  for (const result of query.results ?? []) parameters.append("result", result);
  return parameters;
}

/** The reverse. `from` and `to` may be RFC 3339 too. Throws TraceQueryError for a parameter that is unknown or wrong. */
export function queryOf(parameters: URLSearchParams): AttemptQuery {
  const query: Record<string, unknown> = {};
  const results = parameters.getAll("result");
  if (results.length > 0) query["results"] = results;
  for (const [name, value] of parameters) {
    if (name === "result") continue;
    if ((texts as readonly string[]).includes(name)) query[name] = value;
    else if ((numbers as readonly string[]).includes(name)) query[name] = numberOf(name, value);
    else throw new TraceQueryError(`${name} is not known; there are ${[...texts, ...numbers, "result"].join(", ")}`);
  }
  return query;
}

function numberOf(name: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  const instant = name === "from" || name === "to" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(instant))
    throw new TraceQueryError(
      name === "from" || name === "to" ? `${name} must be milliseconds since the epoch or RFC 3339` : `${name} must be a whole number`,
    );
  return instant;
}
