const domain =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tag = /^[\w][\w.-]{0,127}$/;
const digest = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

/**
 * What is wrong with an image reference, or undefined. The API server takes any text, and the node only says InvalidImageName
 * (apiserver.md 3.4), so the grammar of the container distribution project's reference package is checked here.
 */
export function imageReferenceProblem(reference: string): string | undefined {
  const [name = "", digestText, ...more] = reference.split("@");
  if (more.length > 0) return `"${reference}" has more than one @`;
  if (digestText !== undefined && !digest.test(digestText)) return `"${digestText}" is no digest such as sha256:<64 hex digits>`;
  const lastSlash = name.lastIndexOf("/");
  const colon = name.indexOf(":", lastSlash + 1);
  const tagText = colon < 0 ? undefined : name.slice(colon + 1);
  if (tagText !== undefined && !tag.test(tagText)) return `"${tagText}" is no tag: at most 128 letters, digits, "_", "." and "-"`;
  const parts = (colon < 0 ? name : name.slice(0, colon)).split("/");
  const first = parts[0] as string;
  const hasDomain =
    parts.length > 1 && (first.includes(".") || first.includes(":") || first === "localhost" || first !== first.toLowerCase());
  if (hasDomain && !domain.test(first)) return `"${first}" is no host name with an optional port`;
  for (const part of hasDomain ? parts.slice(1) : parts) {
    if (!component.test(part))
      return `"${part}" is no part of an image name: lower-case letters and digits, separated by ".", "_", "__" or "-"`;
  }
  return undefined;
}
