import { InvalidArgumentError } from "commander";

/** A number of instances, or a share of whole percent, as the CRD takes them. */
export function shareOf(text: string): string | number {
  if (/^(100|[0-9]{1,2})%$/.test(text)) return text;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 10_000) return Number(text);
  throw new InvalidArgumentError("Write a number from 0 to 10000, or a share of whole percent such as 50%.");
}
