import { Refusal } from "./status.ts";

/** In which form the client wants an answer. */
export type Form = "json" | "table" | "metadata" | "discovery";

const acceptable = "application/json, application/json;as=Table;v=v1;g=meta.k8s.io";

/** One media range of an Accept header. */
interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * The first form that the client names among those offered, in its own order (clients of Kubernetes send no weights).
 * Protobuf and forms of other versions are passed over. Throws a Refusal with 406 when nothing is left.
 */
export function negotiate(accept: string | undefined, offered: readonly Form[]): Form {
  if (accept === undefined || accept.trim() === "") return "json";
  for (const range of accept.split(",").map(parseRange)) {
    const form = formOf(range);
    if (form !== undefined && offered.includes(form)) return form;
  }
  throw Refusal.of(406, `only the following media types are accepted: ${acceptable}`);
}

/** The content type that goes with a form. kubectl takes discovery for the old kind unless the answer repeats the form. */
export function contentTypeOf(form: Form): string {
  return form === "discovery" ? "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" : "application/json";
}

/** A media type without its parameters, in lower case. */
export function mediaType(header: string | undefined): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

function parseRange(text: string): MediaRange {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = rest.map((part): [string, string] => {
    const [key = "", value = ""] = part.split("=");
    return [key.trim(), value.trim()];
  });
  return { type: type.toLowerCase(), parameters: new Map(parameters) };
}

function formOf({ type, parameters }: MediaRange): Form | undefined {
  if (type === "*/*" || type === "application/*") return "json";
  if (type !== "application/json") return undefined;
  const as = parameters.get("as");
  if (as === undefined) return "json";
  const groupVersion = `${parameters.get("g")}/${parameters.get("v")}`;
  if (as === "Table" && groupVersion === "meta.k8s.io/v1") return "table";
  if (as.startsWith("PartialObjectMetadata") && groupVersion === "meta.k8s.io/v1") return "metadata";
  return as === "APIGroupDiscoveryList" && groupVersion === "apidiscovery.k8s.io/v2" ? "discovery" : undefined;
}
