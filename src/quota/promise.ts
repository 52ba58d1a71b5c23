/**
 * The values that `lend.maxSeconds` of a queue may have: its idle guarantee is lent only to work that has promised to be gone within so many
 * seconds of being asked. A lending class is an index into this list.
 */
export const lendSeconds = [0, 60, 300, 600, 3600, 14400, 86400] as const;

/** How many lending classes there are. */
export const lendClasses = lendSeconds.length;

/** The lending class of `lend.maxSeconds`; a value between two of the list lends as the lower one, so that nobody lends more than was said. */
export function lendClassOf(maxSeconds: number): number {
  let lendClass = 0;
  while (lendClass + 1 < lendClasses && (lendSeconds[lendClass + 1] as number) <= maxSeconds) lendClass++;
  return lendClass;
}

/**
 * How many lending classes do not lend to work with a promise of so many seconds (Infinity: it may stay for ever): it is within the promise of
 * every class from this number on, and counts as in the way of each class below it.
 */
export function promiseClassOf(seconds: number): number {
  let promiseClass = 0;
  while (promiseClass < lendClasses && (lendSeconds[promiseClass] as number) < seconds) promiseClass++;
  return promiseClass;
}
