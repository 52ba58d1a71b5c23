import { createHash } from "node:crypto";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import type { ResourceType } from "../resource-type.ts";
import type { User } from "./rbac.ts";

/** The type of the Secrets (in kube-system) that make tokens known: who bears the token of that digest is that user. */
export const userTokenType = "nuptse.dev/user-token";

/** The namespace of those Secrets. */
export const userTokenNamespace = "kube-system";

/** What is kept of a token: nobody who reads the Secret can use it. */
export const tokenDigest = (token: string): string => createHash("sha256").update(token).digest("hex");

const decoded = (data: Fields, name: string): string => Buffer.from(String(data[name] ?? ""), "base64").toString();

/** Whose token it is; undefined when nobody's. */
export function userOfToken(secrets: ResourceType, token: string): User | undefined {
  const digest = tokenDigest(token);
  const found = (secrets.collection.list({ namespace: userTokenNamespace }) ?? []).find(
    (secret) => secret.type === userTokenType && decoded(dataOf(secret), "digest") === digest,
  );
  if (found === undefined) return undefined;
  const data = dataOf(found);
  const groups = decoded(data, "groups").split(",");
  return { name: decoded(data, "user"), groups: [...groups.filter((group) => group !== ""), "system:authenticated"] };
}

const dataOf = (secret: StoredObject): Fields => (isFields(secret.data) ? secret.data : {});
