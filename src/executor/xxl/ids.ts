import { createHash } from "node:crypto";

/**
 * XXL-JOB's numbers, made of our names, so that no replica has to keep or hand out any: equal names give equal numbers.
 *
 * An executor of XXL-JOB runs, queues and kills by `jobId`, an int32: each item has one of its own, of 31 bits. Of 10,000 items two have the same
 * number in one cluster of 43; they must not be at one instance together, so whoever starts a task asks the board for a rival first.
 */
export function jobIdOf(jobUid: string, item: number): number {
  return digest(`${jobUid}/${item}`).readUInt32BE(0) >>> 1 || 1;
}

/** `logId`: unique for a task, that is for run, item and attempt. Below 2^53, since executors in JavaScript have no larger integers. */
export function logIdOf(taskId: string): number {
  const bytes = digest(taskId);
  return (bytes.readUInt32BE(0) >>> 11) * 2 ** 32 + bytes.readUInt32BE(4) || 1;
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
