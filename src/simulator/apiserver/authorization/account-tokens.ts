import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { pods, serviceAccounts } from "../../../api/resource.ts";
import { formatSeconds } from "../../../base/time.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import { section } from "../kinds/builtin-kind.ts";
import type { ResourceType } from "../resource-type.ts";
import { badRequest, type FieldError, invalid, invalidValue, notFound } from "../status.ts";
import type { User } from "./rbac.ts";

/** Tokens of service accounts: signed by a key of the server, and worth something as long as what they are bound to. */

const issuer = "https://kubernetes.default.svc.cluster.local";
const kubernetesClaim = "kubernetes.io";
/** What the kubelet asks for; such tokens last a year, since not every program reads its file again. */
const automountSeconds = 3_607;
const yearSeconds = 365 * 86_400;

/** What tokens need of the server. */
export interface TokenServer {
  typeOf(group: string, version: string, plural: string): ResourceType | undefined;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The key of a server that is to know its tokens again when it is started anew. @param secret what it alone has, and keeps */
export const accountKey = (secret: string): Buffer => createHmac("sha256", secret).update("tokens of service accounts").digest();

export class AccountTokens {
  readonly #server: TokenServer;
  readonly #now: () => number;
  #key: Buffer | undefined;

  /**
   * @param now milliseconds since the epoch
   * @param key absent = made up
   */
  constructor(server: TokenServer, now: () => number, key?: Buffer) {
    this.#server = server;
    this.#now = now;
    this.#key = key;
  }

  /** The answer to a TokenRequest. Throws ApiFailure 400, 404, 422. */
  create(account: StoredObject, body: unknown): Fields {
    if (!isFields(body)) throw badRequest("the request body is no JSON object");
    const spec = section(body, "spec");
    const { expirationSeconds: seconds = 3_600, boundObjectRef } = spec;
    checkSeconds(seconds);
    const audiences = Array.isArray(spec.audiences) && spec.audiences.length > 0 ? spec.audiences.map(String) : [issuer];
    const now = Math.floor(this.#now() / 1_000);
    const { name, namespace, uid } = account.metadata;
    const pod = isFields(boundObjectRef) && boundObjectRef.kind === "Pod" ? this.#pod(namespace, boundObjectRef) : undefined;
    const valid = pod !== undefined && seconds === automountSeconds ? yearSeconds : Number(seconds);
    const claims = {
      aud: audiences,
      exp: now + valid,
      iat: now,
      nbf: now,
      iss: issuer,
      sub: `system:serviceaccount:${namespace}:${name}`,
      [kubernetesClaim]: { namespace, serviceaccount: { name, uid }, ...(pod === undefined ? {} : { pod }) },
    };
    const { metadata: _, ...rest } = body;
    return {
      ...rest,
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name, namespace, creationTimestamp: formatSeconds(now * 1_000) },
      spec: { audiences, expirationSeconds: seconds, boundObjectRef: isFields(boundObjectRef) ? boundObjectRef : null },
      status: { token: this.#signed(claims), expirationTimestamp: formatSeconds((now + Number(seconds)) * 1_000) },
    };
  }

  /** Whose token it is; undefined when nobody's, or no longer. */
  userOf(token: string): User | undefined {
    const claims = this.#claims(token);
    if (claims === undefined || Number(claims.exp) * 1_000 <= this.#now()) return undefined;
    const { namespace, serviceaccount, pod } = section(claims, kubernetesClaim);
    if (!isFields(serviceaccount) || !this.#lives(serviceAccounts.plural, namespace, serviceaccount)) return undefined;
    if (isFields(pod) && !this.#lives(pods.plural, namespace, pod)) return undefined;
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${String(namespace)}`, "system:authenticated"];
    return { name: String(claims.sub), groups };
  }

  #lives(plural: string, namespace: unknown, { name, uid }: Fields): boolean {
    const found = this.#server.typeOf("", "v1", plural)?.collection.get(keyOf(String(namespace), String(name)));
    return found !== undefined && found.metadata.uid === uid;
  }

  #pod(namespace: string | undefined, reference: Fields): Fields {
    const name = String(reference.name);
    const found = this.#server.typeOf("", "v1", "pods")?.collection.get(keyOf(namespace, name));
    if (found === undefined || (reference.uid !== undefined && reference.uid !== found.metadata.uid)) throw notFound(pods, name);
    return { name, uid: found.metadata.uid };
  }

  #signed(claims: Fields): string {
    const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
    return `${text}.${this.#signature(text).toString("base64url")}`;
  }

  #claims(token: string): Fields | undefined {
    const [head = "", body = "", signature = "", ...more] = token.split(".");
    if (signature === "" || more.length > 0) return undefined;
    const given = Buffer.from(signature, "base64url");
    const right = this.#signature(`${head}.${body}`);
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const claims: unknown = JSON.parse(Buffer.from(body, "base64url").toString());
    return isFields(claims) ? claims : undefined;
  }

  #signature(text: string): Buffer {
    this.#key ??= randomBytes(32);
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

function checkSeconds(seconds: unknown): void {
  const errors: FieldError[] = [];
  const field = "spec.expirationSeconds";
  if (typeof seconds !== "number" || seconds < 600)
    errors.push(invalidValue(field, seconds, "may not specify a duration less than 10 minutes"));
  else if (seconds > 2 ** 32) errors.push(invalidValue(field, seconds, "may not specify a duration larger than 2^32 seconds"));
  if (errors.length > 0) throw invalid("TokenRequest", "authentication.k8s.io", "", errors);
}
