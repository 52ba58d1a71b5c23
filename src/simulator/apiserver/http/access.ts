import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Access, User } from "../authorization/rbac.ts";
import type { ServerCore } from "./core.ts";
import type { RequestInfo } from "./request-info.ts";
import { failure, Refusal } from "./status.ts";

/** Who sends a request, and whether they may: what stands before every answer. */

/** Whose token a request bears; undefined when it bears none that is known. */
export type Authenticate = (headers: IncomingHttpHeaders) => User | undefined;

/** Knows the administrator by the token of the server, and all others by asking the core. */
export function authenticator(core: ServerCore, token: string, administrator: User): Authenticate {
  const expected = digest(token);
  return ({ authorization }) => {
    const given = /^Bearer\s+(\S+)$/i.exec(authorization ?? "")?.[1];
    if (given === undefined) return undefined;
    return timingSafeEqual(digest(given), expected) ? administrator : core.authenticate?.(given);
  };
}

/** Makes tokens of any length comparable in constant time. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Paths of discovery are for everybody who is somebody, as the role system:discovery says. */
const openPaths = /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/;

/**
 * The user in whose name a request is to be answered: whoever sent it, or whom they impersonate (`kubectl --as`). Throws a Refusal with
 * 403 where they may not impersonate, or may not do what the request does.
 */
export function authorized(core: ServerCore, sender: User, headers: IncomingHttpHeaders, info: RequestInfo, path: string): User {
  const user = impersonated(core, sender, headers);
  if (core.authorize === undefined) return user;
  const access = accessOf(info, path);
  if ("path" in access ? openPaths.test(path) : isAboutOneself(info)) return user;
  if (core.authorize(user, access).allowed) return user;
  throw forbidden(user, access, info);
}

/** Everybody may ask who they are and what they may do. */
const isAboutOneself = ({ group, resource, verb }: RequestInfo): boolean =>
  verb === "create" && /^auth(entication|orization)\.k8s\.io$/.test(group) && resource.startsWith("selfsubject");

function accessOf(info: RequestInfo, path: string): Access {
  if (!info.isResource) return { verb: info.verb, path };
  const { verb, group, resource, subresource, namespace, name } = info;
  return { verb, group, resource, subresource, namespace, name };
}

function impersonated(core: ServerCore, sender: User, headers: IncomingHttpHeaders): User {
  const name = headers["impersonate-user"];
  if (typeof name !== "string" || name === "") return sender;
  const access = { verb: "impersonate", group: "", resource: "users", subresource: "", namespace: "", name };
  if (core.authorize?.(sender, access).allowed === false) throw forbidden(sender, access);
  const stated = headers["impersonate-group"];
  const groups = typeof stated === "string" ? stated.split(/\s*,\s*/) : (stated ?? []);
  return { name, groups: [...new Set([...groups, "system:authenticated"])] };
}

/** The words of the real server. */
function forbidden(user: User, access: Access, info?: RequestInfo): Refusal {
  const who = `User ${JSON.stringify(user.name)} cannot ${access.verb}`;
  if ("path" in access) return new Refusal(failure(403, `forbidden: ${who} path ${JSON.stringify(access.path)}`));
  const { group, resource, subresource, namespace, name } = access;
  const what = subresource === "" ? resource : `${resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const named = `${group === "" ? resource : `${resource}.${group}`}${name === "" ? "" : ` ${JSON.stringify(name)}`}`;
  const message = `${named} is forbidden: ${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(info?.group ?? group)} ${where}`;
  const details = { ...(name === "" ? {} : { name }), ...(group === "" ? {} : { group }), kind: resource };
  return new Refusal({ ...failure(403, message), details });
}
