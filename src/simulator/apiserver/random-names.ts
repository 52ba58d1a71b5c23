import { type Random, randomInteger } from "../../base/random.ts";

/** Names that the server makes up. */

const suffixLetters = "bcdfghjklmnpqrstvwxz2456789";

/** The random end of a generated name. */
export function randomSuffix(random: Random): string {
  let suffix = "";
  for (let at = 0; at < 5; at++) suffix += suffixLetters[randomInteger(random, suffixLetters.length)];
  return suffix;
}

/** A UUID of version 4. */
export function randomUid(random: Random): string {
  let digits = "";
  for (let at = 0; at < 4; at++)
    digits += randomInteger(random, 2 ** 32)
      .toString(16)
      .padStart(8, "0");
  const variant = "89ab"[randomInteger(random, 4)];
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-${variant}${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}
