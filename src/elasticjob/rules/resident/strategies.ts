/**
 * Which instance of a fleet works on which items. Average, OddEven and NameHashRotation are those of Apache ShardingSphere ElasticJob
 * (AVG_ALLOCATION, ODEVITY, ROUND_ROBIN; its classes AverageAllocationJobShardingStrategy, OdevitySortByNameJobShardingStrategy and
 * RotateServerByNameJobShardingStrategy); RoundRobin and First are XXL-JOB's ROUND and FIRST. Instances are given in order
 * (see instance-order.ts), items are numbered from 0.
 */
import { fnv1a32 } from "../../../base/hash.ts";

/** How items are dealt to instances (sharding.strategy). */
export type ShardingStrategy =
  | "Average"
  | "OddEven"
  | "NameHashRotation"
  | "RoundRobin"
  | "LeastLoaded"
  | "Rendezvous"
  | "First"
  | "Broadcast";

/** Strategies that choose anew for each item, by who has room: nothing about them is kept between runs. */
export const choosesAnew = (strategy: ShardingStrategy): boolean => strategy === "LeastLoaded" || strategy === "First";

/** The items of each instance, in the order of the instances; all are there, also those without items. */
export type Dealt<Instance> = readonly { readonly instance: Instance; readonly items: readonly number[] }[];

/** Java's String.hashCode: 32 bits with a sign, h = 31 h + c over UTF-16 units. */
export function javaStringHash(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}

/**
 * Blocks of T div N items one after the other; what is left over goes to the first instances, one each, behind their blocks: 10 over 3 is
 * [0,1,2,9] [3,4,5] [6,7,8].
 */
export function dealAverage<Instance>(instances: readonly Instance[], total: number): Dealt<Instance> {
  const count = instances.length;
  const block = Math.floor(total / count);
  const leftOver = total - block * count;
  return instances.map((instance, position) => {
    const items = Array.from({ length: block }, (_, index) => position * block + index);
    return { instance, items: position < leftOver ? [...items, block * count + position] : items };
  });
}

/** The list begins at position `offset`, and what stood before comes last. */
export function rotate<Instance>(instances: readonly Instance[], offset: number): readonly Instance[] {
  const at = instances.length === 0 ? 0 : offset % instances.length;
  return [...instances.slice(at), ...instances.slice(0, at)];
}

/** As Average over the reversed list where the hash of the job's name is even. */
export function dealOddEven<Instance>(instances: readonly Instance[], total: number, jobName: string): Dealt<Instance> {
  return dealAverage(javaStringHash(jobName) % 2 === 0 ? instances.toReversed() : instances, total);
}

/** As Average over the list rotated by |hash of the job's name|, which is right for -2^31 too (in Java it stays negative there). */
export function dealNameHashRotation<Instance>(instances: readonly Instance[], total: number, jobName: string): Dealt<Instance> {
  return dealAverage(rotate(instances, Math.abs(javaStringHash(jobName))), total);
}

/**
 * As Average over the list rotated by one more at each fire time. The number is a function of the fire time, so nobody has to count and
 * a new leader deals the same: how many of `periodMs` have passed since the epoch, begun anew at another place for each job.
 * @param fireTime milliseconds since the epoch
 * @param periodMs the time between two fire times
 */
export function dealRoundRobin<Instance>(
  instances: readonly Instance[],
  total: number,
  jobName: string,
  fireTime: number,
  periodMs: number,
): Dealt<Instance> {
  return dealAverage(rotate(instances, Math.floor(fireTime / periodMs) + fnv1a32(jobName)), total);
}

/**
 * Each item by itself goes to the instance with the highest weight for it (highest random weight, Thaler and Ravishankar 1998): one that
 * goes moves its own items only.
 * @param idOf what stays the same of an instance
 */
export function dealRendezvous<Instance>(
  instances: readonly Instance[],
  total: number,
  jobName: string,
  idOf: (instance: Instance) => string,
): Dealt<Instance> {
  const items = new Map<Instance, number[]>(instances.map((instance) => [instance, []]));
  const ids = instances.map(idOf);
  for (let item = 0; item < total; item++) {
    let best = 0;
    let bestWeight = -1;
    for (const [position, id] of ids.entries()) {
      const weight = scatter(fnv1a32(`${jobName}/${item}/${id}`));
      if (weight > bestWeight || (weight === bestWeight && id < (ids[best] as string))) {
        best = position;
        bestWeight = weight;
      }
    }
    items.get(instances[best] as Instance)?.push(item);
  }
  return instances.map((instance) => ({ instance, items: items.get(instance) as number[] }));
}

/** FNV-1a of texts that differ in the last letter alone differs in the low bits alone; these are spread over all 32 (MurmurHash3's finalizer). */
function scatter(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** One item for each instance. */
export function dealBroadcast<Instance>(instances: readonly Instance[]): Dealt<Instance> {
  return instances.map((instance, position) => ({ instance, items: [position] }));
}
