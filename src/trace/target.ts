/** Where the event trace is kept. */
export type TraceTarget =
  | { readonly kind: "none" }
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "http"; readonly url: string }
  | { readonly kind: "postgres"; readonly url: string };

/** Reads `none`, `sqlite:<path>`, `http(s)://host:port` or `postgres://user@host/database`. Throws an Error that says what would be right. */
export function readTarget(text: string): TraceTarget {
  if (text === "none") return { kind: "none" };
  if (text.startsWith("sqlite:") && text.length > "sqlite:".length) return { kind: "sqlite", path: text.slice("sqlite:".length) };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === "http:" || url.protocol === "https:")) {
    if ((url.pathname !== "/" && url.pathname !== "") || url.search !== "" || url.username !== "")
      throw new Error("the address of nuptse trace is only a scheme, a host and a port, such as https://nuptse-trace:8443");
    return { kind: "http", url: url.origin };
  }
  if (url !== undefined && (url.protocol === "postgres:" || url.protocol === "postgresql:")) {
    if (url.pathname.length < 2) throw new Error("the URL must name a database, such as postgres://nuptse@host:5432/nuptse");
    return { kind: "postgres", url: text };
  }
  throw new Error("write none, sqlite:<path>, http(s)://<host>:<port> or postgres://<user>@<host>/<database>");
}

/** The same for people and logs: without a password. */
export function shownTarget(target: TraceTarget): string {
  switch (target.kind) {
    case "none":
      return "none";
    case "sqlite":
      return `sqlite:${target.path}`;
    case "http":
      return target.url;
    case "postgres": {
      const url = new URL(target.url);
      url.password = "";
      url.search = "";
      return url.href;
    }
  }
}
